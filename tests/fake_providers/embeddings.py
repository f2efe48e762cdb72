"""OpenAI's embeddings: `POST /v1/embeddings`. Texts that share words get vectors that lie close."""

import base64
import hashlib
import math
import re
import struct
from typing import Any

from tests.fake_providers.dialect import Request, Speaker, Stream, Whole, bearer
from tests.fake_providers.openai_chat import refusal
from tests.fake_providers.script import KEY

FIELDS = {"model", "input", "encoding_format", "dimensions", "user"}
DIMENSIONS = 64
INPUTS_MAX = 2_048


def answer(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request."""
    if bearer(request) != KEY:
        raise refusal(401, "Incorrect API key provided.", code="invalid_api_key")
    return embed(request, speaker)


def embed(request: Request, speaker: Speaker) -> Whole | Stream:
    """Answer one request whose key is right."""
    body = request.body
    inputs = _checked(body)
    dimensions = body.get("dimensions") or DIMENSIONS
    vectors = [vector(str(item), dimensions) for item in inputs]
    tokens = sum(len(str(item)) // 4 + 1 for item in inputs)
    usage = speaker.usage({"prompt_tokens": tokens, "total_tokens": tokens})
    coded = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _base64(value) if coded else value}
        for index, value in enumerate(vectors)
    ]
    whole = {"object": "list", "data": data, "model": body["model"]}
    return Whole({**whole, "usage": usage} if usage is not None else whole)


def vector(value: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the unit vector of a text: each of its words pushes it in one direction."""
    total = [1e-6] * dimensions
    for word in re.findall(r"\w+", value.lower()):
        digest = hashlib.sha256(word.encode()).digest()
        for at in range(4):
            total[int.from_bytes(digest[2 * at : 2 * at + 2]) % dimensions] += 1.0 if digest[16 + at] & 1 else -1.0
    length = math.sqrt(sum(part * part for part in total))
    return [part / length for part in total]


def _checked(body: Any) -> list[Any]:
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise refusal(400, "you must provide a model parameter")
    for name in body:
        if name not in FIELDS:
            raise refusal(400, f"Unrecognized request argument supplied: {name}")
    given = body.get("input")
    inputs = (
        [given] if isinstance(given, str) or (isinstance(given, list) and given and type(given[0]) is int) else given
    )
    if not isinstance(inputs, list) or not inputs or not all(inputs):
        raise refusal(400, "'$.input' is invalid. Please check the API reference.", param="input")
    if len(inputs) > INPUTS_MAX:
        raise refusal(400, f"'$.input' is too long: at most {INPUTS_MAX} inputs.", param="input")
    if body.get("encoding_format", "float") not in {"float", "base64"}:
        raise refusal(400, "'$.encoding_format' is invalid.", param="encoding_format")
    return inputs


def _base64(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
