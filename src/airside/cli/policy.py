"""`airside policy`: prove rules, compare them, test them, replay the past against them, and tell the worst case."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from airside.cli.exits import Exit
from airside.cli.group import group
from airside.cli.output import Json, say, show_json, show_table
from airside.cli.session import session_of
from airside.composition.policy import known_tools, policy_files
from airside.config import typed_yaml
from airside.config.installation import database_url, master_key_file
from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.policy import Decision
from airside.core.tool import Tool
from airside.journal.backend import connect
from airside.journal.master_key import load_master_key
from airside.journal.sealing import DatabaseKeyring
from airside.policy.analysis import cases as cases_
from airside.policy.analysis.difference import newly_allowed
from airside.policy.analysis.examples import WrittenCall
from airside.policy.analysis.findings import ERRORS, Finding, Kind, Names
from airside.policy.analysis.findings import check as check_
from airside.policy.analysis.past import Past, changed
from airside.policy.analysis.worst_case import worst_case
from airside.policy.decision import RulePolicy
from airside.policy.files import PolicyFiles
from airside.policy.layers import AGENT, TENANT, LayeredPolicy, Layers
from airside.policy.loading import load
from airside.policy.windows import Place

T = TypeVar("T")
FILE_BYTES_MAX = 8_388_608
ADVICE = "docs/policy.md lists every key."
app = group("Prove rules, compare them, test them, replay the past against them, tell the worst case.")

File = Annotated[Path | None, typer.Argument(help="a policy file; else the layers of the settings")]
Budget = Annotated[float, typer.Option("--seconds", min=1, max=3_600, help="how long to look, in all")]


@app.command()
def check(
    context: typer.Context,
    file: File = None,
    strict: Annotated[bool, typer.Option("--strict", help="warnings fail too")] = False,
    seconds: Budget = 60.0,
    json_: Json = False,
) -> None:
    """Prove the never-rules; find useless, contradictory and misspelt rules. Exit code 1 if a never-rule can break."""
    settings = session_of(context).settings()
    names = _names(settings)
    found: list[tuple[str, Finding]] = []
    for layer, policy, above in _to_check(settings, file):
        found += [(layer, finding) for finding in check_(policy, names, above, budget_s=seconds)]
    if json_:
        show_json({"findings": [{"layer": layer} | _plain(finding) for layer, finding in found]})
    else:
        rows = [{"layer": layer} | _plain(finding) for layer, finding in found]
        show_table(rows, ("layer", "kind", "rule", "text", "example"), "nothing to say: no never-rules, no odd rules")
    bad = [f for _, f in found if f.kind in ERRORS or (strict and f.kind is not Kind.PROVED)]
    raise typer.Exit(Exit.FAILED if bad else Exit.OK)


@app.command()
def diff(
    context: typer.Context,
    old: Annotated[Path, typer.Argument(help="the policy as it was")],
    new: Annotated[Path, typer.Argument(help="the policy as it would be")],
    seconds: Budget = 60.0,
    json_: Json = False,
) -> None:
    """Tell what a change newly allows or no longer asks, with concrete calls. Exit code 1 if there is any."""
    settings = session_of(context).settings()
    place = Place("", settings.time_zone)
    found = newly_allowed(load(old, place), load(new, place), known_tools(settings), budget_s=seconds)
    if json_:
        show_json({"differences": [_plain(difference) for difference in found]})
    else:
        columns = ("kind", "rule", "before", "now", "example")
        show_table([_plain(difference) for difference in found], columns, "nothing is newly allowed or asked")
    raise typer.Exit(Exit.FAILED if found else Exit.OK)


@app.command("test")
def put_cases(
    context: typer.Context,
    cases: Annotated[Path, typer.Argument(help="a YAML file of calls and the verdicts they must get")],
    policy: Annotated[Path | None, typer.Option(help="a policy file; else the layers of the settings")] = None,
    json_: Json = False,
) -> None:
    """Put written calls to the rules. Exit code 1 if a verdict is not the expected one."""
    settings = session_of(context).settings()
    written = typed_yaml.load(cases, cases_.Cases, bytes_max=FILE_BYTES_MAX, advice=ADVICE)
    results = cases_.run(written, _in_force(settings, policy), known_tools(settings))
    failed = [result for result in results if not result.passed]
    if json_:
        show_json({"passed": len(results) - len(failed), "failed": [{"name": r.name, "text": r.text} for r in failed]})
    else:
        show_table([{"case": r.name, "why": r.text} for r in failed], ("case", "why"), "")
        say(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    raise typer.Exit(Exit.FAILED if failed else Exit.OK)


@app.command()
def replay(
    context: typer.Context,
    policy: Annotated[Path | None, typer.Option(help="a policy file; else the layers of the settings")] = None,
    calls: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="how many past tool calls, the latest first")
    ] = 1_000,
    json_: Json = False,
) -> None:
    """Put past tool calls to the rules: which would get another verdict. Exit code 1 if any would."""
    settings = session_of(context).settings()
    rules, tools = _in_force(settings, policy), known_tools(settings)

    async def look(past: Past) -> tuple[int, list[Any]]:
        seen, found = 0, []
        async for call in past.latest(calls):
            seen += 1
            change = changed(call, rules, tools)
            found += [change] if change else []
        return seen, found

    seen, found = asyncio.run(_with_past(settings, look))
    rows = [_plain(change) for change in found]
    if json_:
        show_json({"calls": seen, "changed": rows})
    else:
        show_table(rows, ("at_us", "call_id", "agent", "name", "before", "now", "rules"), "")
        say(f"{len(rows)} of {seen} past tool calls would get another verdict")
    raise typer.Exit(Exit.FAILED if found else Exit.OK)


@app.command()
def explain(
    context: typer.Context,
    call: Annotated[str, typer.Argument(help="a call's id; or @FILE, a written call as in a file of cases")],
    policy: Annotated[Path | None, typer.Option(help="for a written call: a policy file")] = None,
    json_: Json = False,
) -> None:
    """Tell why a call was decided as it was, or how a written call would be, and where its arguments come from."""
    settings = session_of(context).settings()
    if call.startswith("@"):
        written = typed_yaml.load(Path(call[1:]), WrittenCall, bytes_max=FILE_BYTES_MAX, advice=ADVICE)
        decision = written.decided(_in_force(settings, policy), known_tools(settings))
        facts: Mapping[str, Any] = written.plain()
    else:
        past = asyncio.run(_with_past(settings, lambda past: past.one(call)))
        decision, facts = past.decision, msgspec.to_builtins(past.call.facts)
        facts = {"tool": past.call.name, "agent": past.call.who.agent} | dict(facts)
    if json_:
        show_json({"decision": msgspec.to_builtins(decision), "facts": facts})
    else:
        _show_decision(decision, facts)


@app.command("blast-radius")
def blast_radius(
    context: typer.Context,
    agent: Annotated[str, typer.Option(help="one agent; else all")] = "",
    seconds: Budget = 60.0,
    json_: Json = False,
) -> None:
    """Tell the worst that a hijacked agent can do without a person: a run and a day. Exit code 1 if unbounded."""
    settings = session_of(context).settings()
    if agent and agent not in settings.agents:
        raise AirsideError(Code.UNKNOWN_AGENT, f"there is no agent {agent}")
    layers = _in_force(settings, None)
    told = worst_case(settings, layers.layers, known_tools(settings), agent, budget_s=seconds)
    if json_:
        show_json(msgspec.to_builtins(told, str_keys=True))
    else:
        for one in told.agents:
            say(f"{one.agent}: without a person, at most")
            rows = [{"harm": h.harm, "a run": _bound(h.run), "a day": _bound(h.day)} for h in one.harms]
            show_table(rows, ("harm", "a run", "a day"), "  nothing")
            reaches = [{"tool": r.tool, "harm": r.harm, "a run": _bound(r.run), "a day": _bound(r.day),
                        "bounded by": "; ".join(r.bounded_by)} for r in one.tools if r.automatic]  # fmt: skip
            show_table(reaches, ("tool", "harm", "a run", "a day", "bounded by"), "  every effect waits for a person")
            for grant in one.ungated:
                say(f"  UNGATED: {grant}")
        for observed in told.observed:
            say(f"OBSERVED ONLY: {observed} stops nothing")
    raise typer.Exit(Exit.FAILED if told.unbounded else Exit.OK)


def _bound(bound: Any) -> str:
    return "UNBOUNDED" if bound is None else f"{bound.normalize():f}"


def _show_decision(decision: Decision, facts: Mapping[str, Any]) -> None:
    say(f"{decision.verdict} by {decision.policy_version}")
    show_table(
        [{"rule": r.rule, "says": r.verdict, "because": r.because} for r in decision.reasons],
        ("rule", "says", "because"),
        "no rule spoke",
    )
    show_table(
        [{"argument": k.argument, "role": k.role, "comes from": k.origin, "source": k.source} for k in decision.links],
        ("argument", "role", "comes from", "source"),
        "",
    )
    rows = [{"fact": name, "value": value} for name, value in facts.items() if value and name != "links"]
    show_table(rows, ("fact", "value"), "")


def _in_force(settings: Settings, file: Path | None) -> LayeredPolicy:
    place = Place("", settings.time_zone)
    if file is not None:
        return LayeredPolicy(Layers(load(file, place)))
    return LayeredPolicy(PolicyFiles(policy_files(settings), place).layers)


def _to_check(settings: Settings, file: Path | None) -> Iterator[tuple[str, RulePolicy, Sequence[RulePolicy]]]:
    """Yield each layer with those above it, which must allow too."""
    layers = _in_force(settings, file).layers
    yield (str(file) if file else "platform"), layers.platform, ()
    for name, policy in layers.tenants.items():
        yield f"{TENANT} {name}", policy, (layers.platform,)
    for name, policy in layers.agents.items():
        yield f"{AGENT} {name}", policy, (layers.platform,)


def _names(settings: Settings) -> Names:
    tools: Mapping[str, Tool] = known_tools(settings)
    offered = {name for agent in settings.agents.values() for name in agent.tools if "*" not in name}
    known = frozenset(tools) | offered
    # Tools of the tool host and of servers are not known here; names are only judged if nothing can be missing.
    missing = settings.tools.modules or settings.tools.mcp or settings.tools.openapi
    return Names(tools, frozenset() if missing else known, frozenset(settings.agents), frozenset({settings.tenant}))


def _plain(found: Any) -> dict[str, Any]:
    said = {name: getattr(found, name) for name in found.__struct_fields__}
    example = said.get("example")
    if isinstance(example, WrittenCall):
        said["example"] = example.plain()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}


@contextmanager
def _installed(settings: Settings) -> Iterator[Path]:
    key_file = master_key_file(settings)
    if not key_file.exists():
        raise AirsideError(
            Code.MISCONFIGURED,
            f"there is no installation in {settings.data_dir}: {key_file} is missing",
            advice="Give the installation's file with --config, or start airside once with `airside up`.",
        )
    yield key_file


async def _with_past(settings: Settings, look: Callable[[Past], Awaitable[T]]) -> T:
    with _installed(settings) as key_file:
        backend = await connect(database_url(settings), settings=settings.database, executor_id=new_id("exe"))
        try:
            keyring = DatabaseKeyring(backend.database, load_master_key(key_file))
            return await look(Past(backend.database, keyring, settings.tenant))
        finally:
            await backend.close()
