"""LangGraph and LangChain: a compiled graph, `create_agent(...)`, a StateGraph, or a function that makes one.

Models are reached as the graph names them; their SDKs find the gateway in the environment. Tools are gated wherever the
graph calls them, and agents of `create_agent` are offered the hosted tools. A graph that interrupts waits for a person:
calls that `HumanInTheLoopMiddleware` stops at are asked about when they reach the gate; any other interrupt is asked
about itself, as a call of the tool `interrupt`, and resumed with what the reviewer says.

The run's journal takes the place of a graph's own checkpointer: each attempt begins with an empty one in memory.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import pydantic_core
from langchain_core.messages import AnyMessage, BaseMessage, convert_to_openai_messages
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command, Interrupt, StateSnapshot

from airside.adapters.clients import Gateways, ToolClient, ToolRefused, rehearse
from airside.adapters.entries import called
from airside.adapters.gate import Gate
from airside.adapters.http_hooks import hooks
from airside.adapters.langchain_tools import Governance, governance, hosted_tools, install
from airside.adapters.port import Context
from airside.core.errors import AirsideError, Code

INTERRUPT_TOOL: Final = "interrupt"
_REFUSED: Final = frozenset({Code.APPROVAL_DENIED, Code.APPROVAL_EXPIRED})


async def prepare(context: Context) -> None:
    """Import what a first run would import late; what a model's SDK does is imported with the graph."""
    await rehearse(context)
    graph = StateGraph(MessagesState).add_sequence([("rehearsal", lambda state: state)])
    await _with_memory(graph.add_edge(START, "rehearsal")).ainvoke({"messages": "rehearsal"}, _config(context))


async def run(entry: Any, task: Any, context: Context) -> Any:
    """Run the graph on a task and return its result.

    The task is text, or an object with the keys of the graph's input; any other JSON value is shown as a message. The
    result is the structured response if there is one, else the last message's text if messages are all there is, else
    the graph's output. An entry that is a function gets the task, and `tools`, `model` or `config` if it has parameters
    of those names: it returns the graph to run, or the output. Raises AirsideError `misconfigured` for anything else.
    """
    if not isinstance(entry, Pregel | StateGraph) and not callable(entry):
        raise AirsideError(
            Code.MISCONFIGURED, f"the agent's entry is a {type(entry).__name__}, not a graph or a function"
        )
    config = _config(context)
    hooks.acting = acting
    async with Gateways(context) as gateways:
        client = ToolClient(gateways)
        gate = Gate(gateways, acting)
        hosted = hosted_tools(client, gate, await client.list()) if context.tools else []
        before = governance.set(Governance(gate, hosted))
        try:
            made = entry
            if not isinstance(entry, Pregel | StateGraph):
                made = await called(entry, task, {"tools": hosted, "model": context.model, "config": config})
            if isinstance(made, Pregel | StateGraph):
                made = await _to_its_end(_with_memory(made), task, config, gate)
            return _result(made)
        finally:
            governance.reset(before)


def acting() -> str:
    """Return the name of the agent that is acting: what `create_agent` was told, else that of the inner graph."""
    config = var_child_runnable_config.get() or {}
    name = config.get("metadata", {}).get("lc_agent_name")
    spaces = str(config.get("configurable", {}).get("checkpoint_ns", "")).split("|")
    return str(name or (spaces[-2].partition(":")[0] if len(spaces) > 1 else ""))


def _config(context: Context) -> dict[str, Any]:
    return {"configurable": {"thread_id": context.run_id or "rehearsal"}}


def _with_memory(graph: Any) -> Any:
    memory = InMemorySaver()
    if isinstance(graph, StateGraph):
        return graph.compile(checkpointer=memory)
    return graph.copy({"checkpointer": memory})


async def _to_its_end(graph: Any, task: Any, config: Any, gate: Gate) -> Any:
    """Run a graph, answering its interrupts as people decide."""
    out = await graph.ainvoke(_input(graph, task), config)
    while True:
        state = await graph.aget_state(config, subgraphs=True)
        if state.interrupts:
            values = await asyncio.gather(*(_answer(gate, state, asked) for asked in state.interrupts))
            answers = dict(zip((asked.id for asked in state.interrupts), values, strict=True))
            out = await graph.ainvoke(Command(resume=answers), config)
        elif state.next:  # it was compiled to stop here
            await gate.consent(INTERRUPT_TOOL, {"before": sorted(state.next)})
            out = await graph.ainvoke(None, config)
        else:
            return out


def _input(graph: Any, task: Any) -> Any:
    """Return the graph's input: the task itself if it has that shape, else as a message."""
    builder = getattr(graph, "builder", None)
    keys = set(builder.schemas[builder.input_schema]) if builder else set[str]()
    if "messages" not in keys or (isinstance(task, dict) and task and task.keys() <= keys):
        return task
    content = task if isinstance(task, str) else json.dumps(task, ensure_ascii=False)
    return {"messages": [{"role": "user", "content": content}]}


async def _answer(gate: Gate, state: StateSnapshot, asked: Interrupt) -> Any:
    """Return what an interrupt is resumed with."""
    value = asked.value
    of_middleware = _of_agent(_node_of(state, asked))
    if _is_batch(value) and of_middleware:
        allowed = {config["action_name"]: config["allowed_decisions"] for config in value["review_configs"]}
        actions = value["action_requests"]
        decided = [_decision(gate, action, allowed.get(action["name"], ())) for action in actions]
        return {"decisions": list(await asyncio.gather(*decided))}
    if isinstance(value, Mapping) and value.get("type") == "tool_approval" and of_middleware:
        return await _decision(gate, value, _kinds(asked.response_schema))
    if _is_batch(value):
        yes, no = ({"decisions": [{"type": kind} for _ in value["action_requests"]]} for kind in ("approve", "reject"))
        return await _asked(gate, value, yes, no)
    return await _asked(gate, value, True, False)


async def _asked(gate: Gate, value: Any, yes: Any, no: Any) -> Any:
    """Return `yes`, `no`, or what a reviewer puts in the place of `yes`."""
    plain = pydantic_core.to_jsonable_python(value, serialize_unknown=True)
    try:
        return (await gate.consent(INTERRUPT_TOOL, {"asked": plain, "resume": yes}))["resume"]
    except ToolRefused as refusal:
        if refusal.code not in _REFUSED:
            raise
        return no


def _is_batch(value: Any) -> bool:
    return isinstance(value, Mapping) and {"action_requests", "review_configs"} <= value.keys()


def _node_of(state: StateSnapshot, asked: Interrupt) -> str:
    """Return the innermost node that interrupted; a graph within a graph has a state of its own."""
    for task in state.tasks:
        if any(found.id == asked.id for found in task.interrupts):
            inner = _node_of(task.state, asked) if isinstance(task.state, StateSnapshot) else ""
            return inner or str(task.name)
    return ""


def _of_agent(node: str) -> bool:
    """Whether an interrupt comes from an agent of LangChain's, whose tools all pass the gate."""
    return node == "tools" or node.endswith(".after_model")


async def _decision(gate: Gate, action: Mapping[str, Any], allowed: Any) -> dict[str, Any]:
    """Return the decision on a call that LangChain's middleware stopped at.

    It is approved here, and marked, so that a person decides when it reaches the gate. A call that may not be approved,
    only answered, is answered by the reviewer.
    """
    if "approve" in allowed:
        gate.mark(action["name"], action["args"])
        return {"type": "approve"}
    kind = "respond" if "respond" in allowed else "reject"
    unanswered = {"type": kind, "message": "nobody answered this"}
    call = {"name": action["name"], "args": action["args"]}
    decided: dict[str, Any] = await _asked(gate, call, unanswered, unanswered)
    return decided


def _kinds(schema: Any) -> tuple[str, ...]:
    """Return the decisions that a schema of LangChain's allows."""
    text = json.dumps(schema)
    return tuple(kind for kind in ("approve", "respond", "reject") if f'"const": "{kind}"' in text)


def _result(out: Any) -> Any:
    """Return a graph's output as a run's result."""
    if not isinstance(out, dict):
        return out.model_dump(mode="json") if hasattr(out, "model_dump") else out
    out = {key: value for key, value in out.items() if key != "__interrupt__"}
    if out.get("structured_response") is not None:
        return out["structured_response"]
    messages: list[AnyMessage] = out.get("messages", [])
    if out.keys() == {"messages"} and messages and isinstance(messages[-1], BaseMessage):
        return messages[-1].text
    if messages:
        out["messages"] = convert_to_openai_messages(messages)
    return pydantic_core.to_jsonable_python(out, serialize_unknown=True)


install()
