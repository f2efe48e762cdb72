"""The conversation file of a scripted model: turns, and which of them answers a given request.

```yaml
name: support                    # the model is labelled scripted/support
turns:
  - when: {user: {matches: "refund order (?P<order>\\\\w+)"}, results: 0}
    call: [{tool: get_order, arguments: {order_id: "{{order}}"}}]
  - when: {result: {tool: get_order, contains: "shipped"}}
    say: "Order {{order}} of {{result.customer}} has shipped."
  - say: "I do not understand."  # no `when`: always fits
```

Turns are tried in their order and the first that fits answers. A `when` may look at the last user text (`user`), the
system text (`system`), the last message if it is a tool's result (`result`), and the number of tool results since the
last user message (`results`). Texts are tested by `contains`, `equals` or `matches` (a regular expression, searched).
Named groups, `{{user}}`, `{{result}}` and fields of a JSON result (`{{result.customer}}`) can be used in answers; a
value that is nothing but one placeholder keeps its type, and `{{n:int}}`, `{{x:float}}` turn text into numbers.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from airside.core.errors import AirsideError, Code
from airside.gateways.models.message import Prompt, Text, ToolResult
from airside.gateways.models.message import ToolCall as ToolCalled

_PLACEHOLDER = re.compile(r"\{\{\s*([\w.]+)(?::(int|float|text))?\s*\}\}")
_TYPES: Mapping[str, Callable[[Any], Any]] = {"int": int, "float": float, "text": str}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextTest(_Part):
    """A test of one text; all given tests must hold. Plain text in the file means `contains`."""

    contains: str | None = None
    equals: str | None = None
    matches: str | None = None

    def fits(self, text: str) -> Mapping[str, str] | None:
        """Return the named groups of `matches` if the text passes, else None. `contains` ignores case."""
        if self.contains is not None and self.contains.casefold() not in text.casefold():
            return None
        if self.equals is not None and text.strip() != self.equals.strip():
            return None
        if self.matches is None:
            return {}
        found = re.search(self.matches, text)
        return {name: group for name, group in found.groupdict().items() if group is not None} if found else None


class ResultTest(TextTest):
    """A test of the last tool result; `tool` is the name of the tool that gave it."""

    tool: str | None = None


def _spelled_out(value: Any) -> Any:
    return {"contains": value} if isinstance(value, str) else value


class When(_Part):
    """What a turn waits for; all given tests must hold."""

    user: Annotated[TextTest, BeforeValidator(_spelled_out)] | None = None
    system: Annotated[TextTest, BeforeValidator(_spelled_out)] | None = None
    result: Annotated[ResultTest, BeforeValidator(_spelled_out)] | None = None
    results: int | None = Field(default=None, ge=0)


class ToolCall(_Part):
    """A tool call of an answer."""

    tool: str
    arguments: dict[str, Any] = {}


class Tokens(_Part):
    """The usage that a turn reports; by default it follows from the length of the texts."""

    input: int = Field(ge=0)
    output: int = Field(ge=0)


class Turn(_Part):
    """One answer and when to give it."""

    name: str = ""
    when: When = When()
    say: str | None = None
    call: list[ToolCall] = []
    usage: Tokens | None = None
    delay_ms: int = Field(default=0, ge=0, le=600_000)

    @model_validator(mode="after")
    def _answers(self) -> "Turn":
        if self.say is None and not self.call:
            raise ValueError("a turn needs `say` or `call`")
        return self


class Script(_Part):
    """A whole conversation file. `delay_ms` holds for turns that have none of their own.

    `context_tokens` is the window beyond which requests are refused, as a real model refuses them; 0 is none.
    """

    name: str = Field(default="", max_length=100)
    context_tokens: int = Field(default=0, ge=0, le=100_000_000)
    delay_ms: int = Field(default=0, ge=0, le=600_000)
    turns: list[Turn] = Field(min_length=1, max_length=10_000)


class Scene(_Part):
    """What a script looks at in a request. `result` is None unless a tool result came last."""

    user: str = ""
    system: str = ""
    result: str | None = None
    result_tool: str = ""
    results: int = 0


class Answer(_Part):
    """What a turn says to a scene: text, tool calls (name, arguments), and the turn that said it."""

    turn: Turn
    text: str | None
    calls: list[tuple[str, dict[str, Any]]]


def load(path: Path) -> Script:
    """Read a conversation file; raises AirsideError `misconfigured` that says where it is wrong."""
    try:
        value = yaml.safe_load(path.read_text())
        script = Script.model_validate(value)
        for turn in script.turns:
            for test in (turn.when.user, turn.when.system, turn.when.result):
                re.compile(test.matches or "" if test else "")
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, re.error) as error:
        raise AirsideError(Code.MISCONFIGURED, f"the script {path} cannot be used: {error}") from None
    return script if script.name else script.model_copy(update={"name": path.stem})


def scene(prompt: Prompt) -> Scene:
    """Return what a script may look at in a conversation."""
    user = system = result_tool = ""
    result: str | None = None
    results = 0
    tools: dict[str, str] = {}
    for message in prompt.messages:
        result = None
        if message.role == "system":
            system = f"{system}\n{message.text}".strip()
        elif message.role == "assistant":
            tools |= {block.call_id: block.name for block in message.blocks if isinstance(block, ToolCalled)}
        else:
            given = [block for block in message.blocks if isinstance(block, ToolResult)]
            if message.text or not given:
                user, results = message.text, 0
            if given:
                result, results = _result_text(given[-1]), results + len(given)
                result_tool = tools.get(given[-1].call_id, given[-1].name)
    return Scene(user=user, system=system, result=result, result_tool=result_tool, results=results)


def _result_text(result: ToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, Text))


def answer(script: Script, seen: Scene) -> Answer | None:
    """Return what the first fitting turn says, or None if none fits; raises AirsideError `misconfigured` if what it
    says names something that is not there.
    """
    known: dict[str, str] = {}
    for turn in script.turns:
        if turn.when.user is not None:
            known.update(turn.when.user.fits(seen.user) or {})
        groups = _fits(turn.when, seen)
        if groups is not None:
            values = _values(seen) | known | groups
            text = None if turn.say is None else str(_filled(turn.say, values, turn))
            return Answer(
                turn=turn, text=text, calls=[(item.tool, _filled(item.arguments, values, turn)) for item in turn.call]
            )
    return None


def _fits(when: When, seen: Scene) -> dict[str, str] | None:
    if when.results is not None and when.results != seen.results:
        return None
    groups: dict[str, str] = {}
    for test, text in ((when.user, seen.user), (when.system, seen.system), (when.result, seen.result)):
        if test is None:
            continue
        found = test.fits(text) if text is not None else None
        if found is None:
            return None
        groups.update(found)
    if when.result is not None and when.result.tool not in {None, seen.result_tool}:
        return None
    return groups


def _values(seen: Scene) -> dict[str, Any]:
    values: dict[str, Any] = {"user": seen.user, "result": seen.result or ""}
    try:
        fields = json.loads(seen.result or "")
    except ValueError:
        return values
    return values | _flat("result", fields)


def _flat(path: str, value: Any) -> dict[str, Any]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: dict[str, Any] = {}
    for name, item in items:
        found[f"{path}.{name}"] = item
        found.update(_flat(f"{path}.{name}", item))
    return found


def _filled(template: Any, values: Mapping[str, Any], turn: Turn) -> Any:
    if isinstance(template, dict):
        return {name: _filled(item, values, turn) for name, item in template.items()}
    if isinstance(template, list):
        return [_filled(item, values, turn) for item in template]
    if not isinstance(template, str):
        return template

    def value(match: re.Match[str]) -> Any:
        name, kind = match.group(1), match.group(2)
        try:
            return _TYPES[kind](values[name]) if kind else values[name]
        except (KeyError, ValueError, TypeError):
            where = turn.name or turn.say or turn.call[0].tool
            raise AirsideError(
                Code.MISCONFIGURED, f"the script's turn {where!r} uses {match.group()}, which is not there or unfit"
            ) from None

    whole = _PLACEHOLDER.fullmatch(template)
    return value(whole) if whole else _PLACEHOLDER.sub(lambda match: _shown(value(match)), template)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
