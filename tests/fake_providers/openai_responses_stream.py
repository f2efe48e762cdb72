"""The events of a Responses stream, numbered, named and nested as OpenAI sends them."""

from typing import Any

from tests.fake_providers.dialect import sse
from tests.fake_providers.script import pieces


class _Events:
    """Events in the order in which they leave."""

    def __init__(self, *, obfuscated: bool) -> None:
        self.frames: list[bytes] = []
        self._obfuscated = obfuscated

    def add(self, kind: str, **fields: Any) -> None:
        """Add one event with the next number."""
        if kind.endswith(".delta") and self._obfuscated:
            fields["obfuscation"] = "x" * (16 - len(fields["delta"]) % 16)
        self.frames.append(sse({"type": kind, "sequence_number": len(self.frames), **fields}, kind))


def events(response: dict[str, Any], *, obfuscated: bool) -> list[bytes]:
    """Return the frames of a stream that ends in this response."""
    out = _Events(obfuscated=obfuscated)
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    out.add("response.created", response=begun)
    out.add("response.in_progress", response=begun)
    for index, item in enumerate(response["output"]):
        {"reasoning": _reasoning, "message": _message, "function_call": _call}[item["type"]](out, index, item)
    out.add(f"response.{response['status']}", response=response)
    return out.frames


def _reasoning(out: _Events, index: int, item: dict[str, Any]) -> None:
    out.add("response.output_item.added", output_index=index, item={**item, "summary": []})
    for at, part in enumerate(item["summary"]):
        place = {"item_id": item["id"], "output_index": index, "summary_index": at}
        out.add("response.reasoning_summary_part.added", **place, part={"type": "summary_text", "text": ""})
        for piece in pieces(part["text"], 8):
            out.add("response.reasoning_summary_text.delta", **place, delta=piece)
        out.add("response.reasoning_summary_text.done", **place, text=part["text"])
        out.add("response.reasoning_summary_part.done", **place, part=part)
    out.add("response.output_item.done", output_index=index, item=item)


def _message(out: _Events, index: int, item: dict[str, Any]) -> None:
    begun = {**item, "status": "in_progress", "content": []}
    out.add("response.output_item.added", output_index=index, item=begun)
    for at, part in enumerate(item["content"]):
        name = "text" if part["type"] == "output_text" else "refusal"
        kind = "response.output_text" if name == "text" else "response.refusal"
        place = {"item_id": item["id"], "output_index": index, "content_index": at}
        extra = {"logprobs": []} if name == "text" else {}
        out.add("response.content_part.added", **place, part={**part, name: ""})
        for piece in pieces(part[name], 8):
            out.add(f"{kind}.delta", **place, delta=piece, **extra)
        out.add(f"{kind}.done", **place, **{name: part[name]}, **extra)
        out.add("response.content_part.done", **place, part=part)
    out.add("response.output_item.done", output_index=index, item=item)


def _call(out: _Events, index: int, item: dict[str, Any]) -> None:
    out.add("response.output_item.added", output_index=index, item={**item, "status": "in_progress", "arguments": ""})
    place = {"item_id": item["id"], "output_index": index}
    for piece in pieces(item["arguments"], 5):
        out.add("response.function_call_arguments.delta", **place, delta=piece)
    out.add("response.function_call_arguments.done", **place, arguments=item["arguments"], name=item["name"])
    out.add("response.output_item.done", output_index=index, item=item)
