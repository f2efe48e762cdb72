"""The desk's agents, written with the OpenAI Agents SDK."""

import json
import os
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


KINDS = {"agent": agent, "streaming": agent, "careful": careful, "careful_streaming": careful, "triage": triage}


async def entry(task: Any) -> Any:
    """Return the agent that the task is for; streams are run by the agent's own code."""
    wanted = KINDS[task["kind"]]
    if not task["kind"].endswith("streaming"):
        return wanted
    result = Runner.run_streamed(wanted.clone(model=os.environ["AIRSIDE_MODEL"]), json.dumps(task))
    async for _ in result.stream_events():
        pass
    return result
