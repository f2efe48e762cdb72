"""The plain google-genai SDK: Gemini."""

from typing import Any

import scenario
from google import genai
from google.genai import types
from pydantic import BaseModel
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


async def _generate(s: Scenario, contents: Any, **config: Any) -> Any:
    """Return the last response and all parts."""
    client = genai.Client()
    asked = {"model": s.model, "contents": contents, "config": types.GenerateContentConfig(**config)}
    if not s.stream:
        response = await client.aio.models.generate_content(**asked)
        return response, list(response.candidates[0].content.parts or ())
    parts: list[Any] = []
    async for response in await client.aio.models.generate_content_stream(**asked):
        came = list(response.candidates[0].content.parts or ()) if response.candidates[0].content else []
        parts += came
        s.hear("".join(part.text or "" for part in came))
    return response, parts


def _text(parts: list[Any]) -> str:
    return "".join(part.text or "" for part in parts if not part.thought)


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    return _text((await _generate(s, scenario.GREETING))[1])


async def tools(s: Scenario) -> Any:
    """Ask, call the tools, give back every part as it came."""
    declared = [
        types.FunctionDeclaration(name=name, description=told, parameters_json_schema=s.schema(name))
        for name, (told, _) in scenario.TOOLS.items()
    ]
    config = {"tools": [types.Tool(function_declarations=declared)], "system_instruction": scenario.SYSTEM}
    contents: list[Any] = [types.Content(role="user", parts=[types.Part(text=scenario.QUESTION)])]
    while True:
        _, parts = await _generate(s, contents, **config)
        calls = [part.function_call for part in parts if part.function_call]
        if not calls:
            return _text(parts)
        results = [
            types.FunctionResponse(id=call.id, name=call.name, response={"result": s.use(call.name, call.args)})
            for call in calls
        ]
        contents.append(types.Content(role="model", parts=parts))
        contents.append(types.Content(role="user", parts=[types.Part(function_response=one) for one in results]))


async def structured(s: Scenario) -> Any:
    """Ask for a typed answer."""
    config = {"response_mime_type": "application/json", "response_schema": Verdict}
    _, parts = await _generate(s, scenario.DECISION, **config)
    return Verdict.model_validate_json(_text(parts)).model_dump()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, structured=structured)
