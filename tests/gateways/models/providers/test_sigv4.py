"""Signatures by AWS's published test suite, and event streams by their checksums."""

import base64
import json
import struct
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from airside.gateways.models.formats.port import BrokenAnswer, RejectedAnswer
from airside.gateways.models.providers.bedrock import Bedrock, _event
from airside.gateways.models.providers.eventstream import Message, Messages
from airside.gateways.models.providers.sigv4 import AwsKey, Scope, signed
from tests.fake_providers.eventstream import encode, frame

KEY = AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SCOPE = Scope("us-east-1", "service")
AT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = "https://example.amazonaws.com"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
VECTORS = [
    ("GET", "/", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ("POST", "/", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ("POST", "/", {"My-Header1": "value1"}, b"", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ("POST", "/", FORM, b"Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    (
        "GET",
        "/?Param2=value2&Param1=value1",
        {},
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "signature"), VECTORS)
def test_the_published_vectors(method: str, path: str, headers: dict[str, str], body: bytes, signature: str) -> None:
    sent = signed(KEY, SCOPE, AT, method, URL(HOST + path), headers, body)
    credential = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    assert sent["Authorization"].startswith(f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=")
    assert sent["Authorization"].endswith(f"Signature={signature}")


def test_a_temporary_key_sends_its_token_signed() -> None:
    sent = signed(AwsKey("a", "b", "token"), SCOPE, AT, "POST", URL(HOST), {}, b"")
    assert sent["X-Amz-Security-Token"] == "token"
    assert "host;x-amz-date;x-amz-security-token" in sent["Authorization"]


PAYLOADS = st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=50), max_size=3), max_size=5)


@settings(deadline=None)
@given(PAYLOADS, st.integers(1, 60))
def test_messages_are_whole_however_the_network_cuts_them(payloads: list[dict[str, str]], size: int) -> None:
    data = b"".join(frame(payload, event="chunk") for payload in payloads)
    messages = Messages()
    found = [message for at in range(0, len(data), size) for message in messages.feed(data[at : at + size])]
    assert [json.loads(message.payload) for message in found] == payloads
    assert all(message.headers[":event-type"] == "chunk" for message in found)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, change: int) -> None:
    data = bytearray(frame({"bytes": "eA=="}, event="chunk"))
    data[at % len(data)] ^= change
    with pytest.raises(BrokenAnswer):
        list(Messages().feed(bytes(data)))


@pytest.mark.parametrize("packed", [b"\x05ab", b"\x01a\xff", b"\x01a\x07\x00\x02\xff\xfe", b"\x01\xff\x07\x00\x01a"])
def test_headers_that_cannot_be_read(packed: bytes) -> None:
    assert list(Messages().feed(encode({}, b""))) == [Message({}, b"")]
    broken = _with_headers(packed)
    with pytest.raises(BrokenAnswer):
        list(Messages().feed(broken))


def _with_headers(packed: bytes) -> bytes:
    prelude = struct.pack(">II", 16 + len(packed), len(packed))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed
    return message + struct.pack(">I", zlib.crc32(message))


def test_what_an_exception_in_the_stream_means() -> None:
    said = Message({":message-type": "exception", ":exception-type": "validationException"}, b'{"message": "bad"}')
    with pytest.raises(RejectedAnswer, match="bad"):
        _event(said)
    for kind in ("throttlingException", "modelStreamErrorException", "internalServerException"):
        with pytest.raises(BrokenAnswer, match=kind) as caught:
            _event(Message({":message-type": "exception", ":exception-type": kind}, b"\xff"))
        assert not isinstance(caught.value, RejectedAnswer)
    for payload in (b"", b"[]", b"{}", b'{"bytes": 3}', b'{"bytes": "?"}', b"\xff"):
        with pytest.raises(BrokenAnswer):
            _event(Message({":message-type": "event"}, payload))
    chunk = base64.b64encode(b'{"type":\n"ping"}').decode()
    assert _event(Message({}, json.dumps({"bytes": chunk}).encode())) == b'data: {"type": "ping"}\n\n'
    assert Bedrock.languages[0].name == "anthropic"
