"""The plain `openai` SDK: Chat Completions and Responses."""

from typing import Any

import scenario
from openai import AsyncOpenAI
from pydantic import BaseModel
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


def client(s: Scenario) -> AsyncOpenAI:
    """Return a client that knows nothing but its environment."""
    return AsyncOpenAI(max_retries=s.retries)


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    if s.format == "chat":
        return (await _chat(s, [{"role": "user", "content": scenario.GREETING}])).content
    return (await _respond(s, input=scenario.GREETING)).output_text


async def tools(s: Scenario) -> Any:
    """Ask, call the tools, ask again: the conversation is sent anew each time."""
    return await (_chat_tools(s) if s.format == "chat" else _response_tools(s, chained=False))


async def state(s: Scenario) -> Any:
    """Ask, call the tools, ask again: the conversation is kept behind `previous_response_id`."""
    return await _response_tools(s, chained=True)


async def structured(s: Scenario) -> Any:
    """Ask for a typed answer."""
    openai = client(s)
    if s.format == "chat":
        asked: dict[str, Any] = {"model": s.model, "messages": [{"role": "user", "content": scenario.DECISION}]}
        if s.stream:
            async with openai.chat.completions.stream(**asked, response_format=Verdict) as stream:
                return (await stream.get_final_completion()).choices[0].message.parsed.model_dump()
        parsed = await openai.chat.completions.parse(**asked, response_format=Verdict)
        return parsed.choices[0].message.parsed.model_dump()
    if s.stream:
        async with openai.responses.stream(model=s.model, input=scenario.DECISION, text_format=Verdict) as stream:
            return (await stream.get_final_response()).output_parsed.model_dump()
    response = await openai.responses.parse(model=s.model, input=scenario.DECISION, text_format=Verdict)
    return response.output_parsed.model_dump()


async def _chat(s: Scenario, messages: list[Any], **more: Any) -> Any:
    openai = client(s)
    if not s.stream:
        answer = await openai.chat.completions.create(model=s.model, messages=messages, **more)
        return answer.choices[0].message
    async with openai.chat.completions.stream(model=s.model, messages=messages, **more) as stream:
        async for event in stream:
            s.hear(getattr(event, "delta", None) if event.type == "content.delta" else None)
        return (await stream.get_final_completion()).choices[0].message


async def _chat_tools(s: Scenario) -> Any:
    declared = [
        {
            "type": "function",
            "function": {"name": name, "description": told, "parameters": s.schema(name), "strict": True},
        }
        for name, (told, _) in scenario.TOOLS.items()
    ]
    messages: list[Any] = [
        {"role": "system", "content": scenario.SYSTEM},
        {"role": "user", "content": scenario.QUESTION},
    ]
    while True:
        message = await _chat(s, messages, tools=declared)
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(exclude_none=True, exclude={"parsed": True}))
        for call in messages[-1]["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
            result = s.use(call["function"]["name"], call["function"]["arguments"])
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})


async def _respond(s: Scenario, **asked: Any) -> Any:
    openai = client(s)
    if not s.stream:
        return await openai.responses.create(model=s.model, **asked)
    async with openai.responses.stream(model=s.model, **asked) as stream:
        async for event in stream:
            s.hear(event.delta if event.type == "response.output_text.delta" else None)
        return await stream.get_final_response()


async def _response_tools(s: Scenario, *, chained: bool) -> Any:
    declared = [
        {"type": "function", "name": name, "description": told, "parameters": s.schema(name), "strict": True}
        for name, (told, _) in scenario.TOOLS.items()
    ]
    asked: dict[str, Any] = {"instructions": scenario.SYSTEM, "tools": declared}
    if not chained:
        asked["include"] = ["reasoning.encrypted_content"]
    history: list[Any] = [{"role": "user", "content": scenario.QUESTION}]
    while True:
        response = await _respond(s, input=history, **asked)
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return response.output_text
        results = [
            {"type": "function_call_output", "call_id": call.call_id, "output": s.use(call.name, call.arguments)}
            for call in calls
        ]
        if chained:
            asked["previous_response_id"] = response.id
            history = [*results]
            continue
        for item in response.output:
            history.append(item.model_dump(exclude_none=True, exclude={"parsed_arguments", "content"}))
            if item.type == "message":
                history[-1]["content"] = [
                    part.model_dump(include={"type", "text", "annotations"}) for part in item.content
                ]
        history += results


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, state=state, structured=structured)
