"""Text of foreign origin (exceptions, providers, callers) in the form that every database and wire can carry."""


def storable(text: str) -> str:
    """Return text without NUL, which Postgres cannot hold, and without lone surrogates, which UTF-8 cannot carry."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def message_of(error: BaseException) -> str:
    """Return what foreign code's exception says. It may hold anything, and may even fail at telling it."""
    try:
        return storable(str(error))
    except Exception:  # noqa: BLE001 - `__str__` is foreign code too
        return "(its message cannot be shown)"
