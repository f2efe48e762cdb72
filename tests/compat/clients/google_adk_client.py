"""Google's Agent Development Kit over Gemini."""

from typing import Any

import scenario
from google.adk.agents import Agent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.runners import InMemoryRunner
from google.genai import types
from pydantic import BaseModel
from scenario import Scenario


class Verdict(BaseModel):
    """What is decided."""

    approve: bool
    why: str


async def _run(s: Scenario, prompt: str, **agent: Any) -> str:
    runner = InMemoryRunner(agent=Agent(name="shop", model=s.model, **agent), app_name="shop")
    session = await runner.session_service.create_session(app_name="shop", user_id="user")
    message = types.Content(role="user", parts=[types.Part(text=prompt)])
    config = RunConfig(streaming_mode=StreamingMode.SSE if s.stream else StreamingMode.NONE)
    said = ""
    async for event in runner.run_async(user_id="user", session_id=session.id, new_message=message, run_config=config):
        if event.error_code or event.error_message:
            raise RuntimeError(f"{event.error_code}: {event.error_message}")
        text = "".join(part.text or "" for part in (event.content.parts if event.content else None) or ())
        s.hear(text)
        if event.is_final_response() and text:
            said = text
    return said


async def ask(s: Scenario) -> Any:
    """Ask without tools."""
    return await _run(s, scenario.GREETING)


async def tools(s: Scenario) -> Any:
    """Run an agent with two tools."""
    return await _run(s, scenario.QUESTION, instruction=scenario.SYSTEM, tools=[s.get_order, s.get_customer])


async def structured(s: Scenario) -> Any:
    """Run an agent with a typed result."""
    return Verdict.model_validate_json(await _run(s, scenario.DECISION, output_schema=Verdict)).model_dump()


if __name__ == "__main__":
    scenario.main(ask=ask, tools=tools, structured=structured)
