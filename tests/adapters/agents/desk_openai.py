"""The desk's agents, written with the OpenAI Agents SDK."""

from typing import Any

import desk
from agents import Agent, Runner, function_tool

agent = Agent(
    "desk", instructions=desk.INSTRUCTIONS, tools=[function_tool(tool) for tool in (desk.note, desk.pin, desk.look)]
)
careful = agent.clone(
    tools=[
        function_tool(desk.note, needs_approval=True),
        function_tool(desk.pin, needs_approval=True),
        function_tool(desk.look),
    ]
)
triage = Agent("triage", instructions="Hand over.", handoffs=[agent])


async def streaming(task: Any) -> Any:
    """Run as a stream, by the agent's own code."""
    return await _streamed(agent, task)


async def careful_streaming(task: Any) -> Any:
    """Run as a stream, and leave its interruptions to the result."""
    return await _streamed(careful, task)


async def _streamed(of: Any, task: Any) -> Any:
    model = __import__("os").environ["AIRSIDE_MODEL"]
    result = Runner.run_streamed(of.clone(model=model), task)
    async for _ in result.stream_events():
        pass
    return result
