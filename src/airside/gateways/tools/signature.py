"""From a Python function to the tool that agents see: JSON Schema from its signature, texts from its docstring."""

import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, create_model
from pydantic.errors import PydanticInvalidForJsonSchema

from airside.core.errors import AirsideError, Code
from airside.core.tool import Tool
from airside.gateways.tools.declare import Declaration, ToolContext

_GOOGLE_HEAD = re.compile(r"^(args|arguments|parameters):\s*$", re.IGNORECASE)
_GOOGLE_ITEM = re.compile(r"^(\*{0,2}\w+)\s*(?:\([^)]*\))?:\s*(.*)$")
_SPHINX = re.compile(r"^:param\s+(?:[^:\s]+\s+)?(\w+):\s*(.*)$")


class Callee(Struct, frozen=True):
    """A function ready to be called: its manifest, the model of its arguments, and where the context goes."""

    tool: Tool
    function: Callable[..., Any]
    model: type[BaseModel]
    parameters: Mapping[str, str]
    context_parameter: str

    def bind(self, arguments: bytes, context: ToolContext) -> dict[str, Any]:
        """Return the keyword arguments for one call from a JSON object; raises pydantic's ValidationError."""
        bound = self.model.model_validate_json(arguments)
        values = {self.parameters[field]: getattr(bound, field) for field in bound.model_fields_set}
        if self.context_parameter:
            values[self.context_parameter] = context
        return values


def callee(declaration: Declaration) -> Callee:
    """Make a declared function callable from JSON.

    Raises AirsideError `misconfigured`, naming the place, for a signature that no JSON object can fill.
    """
    parameters, fields, context_parameter = _fields(declaration)
    try:
        model = create_model(declaration.name, __config__=ConfigDict(extra="forbid"), **fields)
        schema = model.model_json_schema()
    except (PydanticUserError, PydanticInvalidForJsonSchema) as error:
        reason = str(error).splitlines()[0]
        raise _misconfigured(declaration, f"its arguments have no JSON Schema: {reason}") from None
    amount = declaration.manifest.amount_argument
    if amount and amount not in parameters.values():
        raise _misconfigured(declaration, f"amount names {amount!r}, which is no parameter")
    for path in declaration.manifest.roles:
        if path.partition(".")[0] not in {*parameters.values(), "*"}:
            raise _misconfigured(declaration, f"roles names {path!r}, which is no parameter")
    schema.pop("title", None)
    description = describe(inspect.getdoc(declaration.function) or "")[0]
    tool = replace(declaration.manifest, description=description, schema=schema)
    return Callee(tool, declaration.function, model, parameters, context_parameter)


def describe(docstring: str) -> tuple[str, Mapping[str, str]]:
    """Split a docstring into the tool's description and the parameters' (Google `Args:` or Sphinx `:param x:`)."""
    description: list[str] = []
    parameters: dict[str, str] = {}
    current, within = "", False
    for line in docstring.splitlines():
        text = line.strip()
        if sphinx := _SPHINX.match(text):
            current, within = sphinx[1], True
            parameters[current] = sphinx[2]
        elif _GOOGLE_HEAD.match(text):
            current, within = "", True
        elif within and text and not line.startswith((" ", "\t")):
            within = False
            description.append(line)
        elif within and (item := _GOOGLE_ITEM.match(text)):
            current = item[1].lstrip("*")
            parameters[current] = item[2]
        elif within and current and text:
            parameters[current] += " " + text
        elif not within:
            description.append(line)
    kept = [line for line in description if not line.startswith((":return", ":raises", ":rtype"))]
    return "\n".join(kept).strip(), parameters


def _fields(declaration: Declaration) -> tuple[dict[str, str], dict[str, Any], str]:
    """Return the parameter behind each field of the arguments' model, the fields, and the context's parameter.

    Fields have names of their own and carry the parameter's as an alias: a parameter may be called `json` or `_x`.
    """
    function = declaration.function
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise _misconfigured(declaration, f"its annotations cannot be read: {error}") from None
    texts = describe(inspect.getdoc(function) or "")[1]
    parameters: dict[str, str] = {}
    fields: dict[str, Any] = {}
    context_parameter = ""
    for name, parameter in inspect.signature(function).parameters.items():
        if hints.get(name) is ToolContext:
            context_parameter = name
            continue
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY}:
            raise _misconfigured(declaration, f"parameter {name!r} cannot be given by name")
        if name not in hints:
            raise _misconfigured(declaration, f"parameter {name!r} has no type annotation")
        default = ... if parameter.default is parameter.empty else parameter.default
        field = Field(default, alias=name, description=texts[name]) if name in texts else Field(default, alias=name)
        fields[f"argument_{len(fields)}"] = (hints[name], field)
        parameters[f"argument_{len(parameters)}"] = name
    return parameters, fields, context_parameter


def _misconfigured(declaration: Declaration, why: str) -> AirsideError:
    return AirsideError(Code.MISCONFIGURED, f"tool {declaration.name!r} ({declaration.where}): {why}")
