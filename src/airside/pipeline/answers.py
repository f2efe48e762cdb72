"""The sealed form of an answer: its body, and in front of it the words of an error, which may quote content."""

from airside.core.call import CallState, Outcome

_WORDED = b"\x00"  # no JSON text begins like this
_LENGTH_BYTES = 4


def packed(result: Outcome) -> bytes:
    """Return the bytes to seal: the body as it is, unless the outcome carries an error's words."""
    if result.state is CallState.OK or not result.message:
        return result.body
    words = result.message.encode(errors="replace")
    return _WORDED + len(words).to_bytes(_LENGTH_BYTES) + words + result.body


def unpacked(sealed: bytes) -> tuple[bytes, str]:
    """Return the body and the error's words, or no words."""
    if not sealed.startswith(_WORDED):
        return sealed, ""
    start = len(_WORDED) + _LENGTH_BYTES
    end = start + int.from_bytes(sealed[len(_WORDED) : start])
    return sealed[end:], sealed[start:end].decode()
