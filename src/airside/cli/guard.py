"""`airside guard`: look at a text or a run as the guards do, put cases to them, measure them, keep what was wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from airside.cli.exits import Exit
from airside.cli.group import group
from airside.cli.output import Json, say, show_json, show_table
from airside.cli.session import session_of
from airside.config.bounded_files import read_bounded
from airside.config.guards import GuardSettings
from airside.core.errors import AirsideError, Code
from airside.guards.cases import trial
from airside.guards.cases.measure import measure
from airside.guards.cases.written import Case, load
from airside.guards.defaults import scanner_of
from airside.guards.finding import Mode, Place
from airside.guards.service import note
from airside.guards.verdict import Modes, Where, rewritten, strongest

app = group("Look at texts as the guards do, test and measure the guards, keep what they got wrong.")
Files = Annotated[list[Path], typer.Argument(help="YAML files of cases (docs/guards.md)")]
Where_ = Annotated[Place, typer.Option("--place", help="where the text stands")]
Agent = Annotated[str, typer.Option(help="as if in a call of this agent")]
PAGE = 200


@app.command()
def check(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="a text; else standard input")] = None,
    place: Where_ = Place.USER,
    agent: Agent = "",
    stage: Annotated[str, typer.Option(help="as if at this stage")] = "",
    json_: Json = False,
) -> None:
    """Show what is found in a text, what would follow, and the text as it would go on. Exit code 1 if it is blocked."""
    settings = session_of(context).settings().guards
    text = _text(file, settings.text_bytes_max)
    findings = scanner_of(settings).scan_now(text, place)
    judged = Modes(settings).judge(findings, Where(agent, stage, place))
    goes_on = rewritten(text, judged, trial.replacement)
    mode = strongest(judged)
    rows = [
        dict(row) | {"kind": one.finding.kind, "found": _shown(text[one.finding.start : one.finding.end])}
        for row, one in zip(note(judged, place), judged, strict=True)
    ]
    if json_:
        show_json({"mode": mode.value, "findings": rows, "text": _shown(goes_on)})
    else:
        show_table(rows, ("guard", "rule", "mode", "score", "span", "via", "found"), "nothing was found")
        if mode is Mode.BLOCK:
            say("it does not go on: the call is refused with `guard_blocked`")
        elif goes_on != text:
            say(f"it goes on as:\n{_shown(goes_on)}")
    raise typer.Exit(Exit.FAILED if mode is Mode.BLOCK else Exit.OK)


@app.command()
def findings(context: typer.Context, run: Annotated[str, typer.Argument(metavar="RUN")], json_: Json = False) -> None:
    """Show what guards found in a run's calls: rule, place and what followed, never the text."""
    rows = _pages(context, "/api/v1/guards/findings", run=run)
    if json_:
        show_json({"items": rows})
    else:
        show_table(rows, ("call_id", "call", "guard", "rule", "place", "mode", "score", "span"), "nothing was found")


@app.command("test")
def try_cases(
    context: typer.Context,
    files: Files,
    kept: Annotated[bool, typer.Option("--kept", help="also the cases that the running airside keeps")] = False,
    json_: Json = False,
) -> None:
    """Put cases to the guards as the settings have them. Exit code 1 if one fails."""
    session = session_of(context)
    cases = _cases(files)
    if kept:
        cases += [
            Case.model_validate({"name": row["case_id"]} | row["case"])
            for row in _kept(context)
            if row["case"] is not None
        ]
    settings = session.settings().guards
    trials = list(trial.run(cases, scanner_of(settings), Modes(settings)))
    failed = [one for one in trials if not one.passed]
    if json_:
        show_json({"cases": len(trials), "failed": [{"name": one.name, "wrong": list(one.wrong)} for one in failed]})
    else:
        rows = [{"case": one.name, "wrong": "; ".join(one.wrong)} for one in failed]
        show_table(rows, ("case", "wrong"), "all as they must be")
        say(f"{len(trials) - len(failed)} of {len(trials)} cases passed")
    raise typer.Exit(Exit.FAILED if failed else Exit.OK)


@app.command()
def bench(context: typer.Context, files: Files, json_: Json = False) -> None:
    """Measure the guards on labelled texts: precision, recall, false alarms and time per text, by guard."""
    settings: GuardSettings = session_of(context).settings().guards
    found = measure(_cases(files), scanner_of(settings), Modes(settings))
    if json_:
        show_json(found)
        return
    rows = [
        {"guard": guard} | {name: _short(value) for name, value in row.items()}
        for guard, row in found["guards"].items()
    ]
    columns = ("guard", "precision", "recall", "f1", "false_alarm_rate", "hits", "misses", "false_alarms", "clear")
    show_table(rows, columns, "there was nothing to find, and nothing was found")
    say(f"{found['texts']} texts; a text took {found['ms_p50']} ms (median), {found['ms_p99']} ms (99th percentile)")


@app.command()
def cases(
    context: typer.Context,
    export: Annotated[Path | None, typer.Option(help="write them to this file, for `airside guard test`")] = None,
    json_: Json = False,
) -> None:
    """List the cases that are kept: findings that people called wrong, and what was missed."""
    rows = _kept(context)
    if export is not None:
        readable = [row["case"] for row in rows if row["case"] is not None]
        if not readable:
            raise AirsideError(Code.NOT_FOUND, "no cases are kept; there is nothing to export")
        export.write_text(yaml.safe_dump({"cases": readable}, allow_unicode=True, sort_keys=False), "utf-8")
        say(f"{len(readable)} cases written to {export}; it holds what people wrote: keep it as you keep their data")
    elif json_:
        show_json({"items": rows})
    else:
        shown = [row | {"expected": _expected(row["case"]), "text": _beginning(row["case"])} for row in rows]
        show_table(shown, ("case_id", "created_us", "created_by", "expected", "because", "text"), "no cases are kept")


@app.command()
def keep(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="the text; else standard input")] = None,
    expect: Annotated[list[str] | None, typer.Option(help="a guard that must find something; none: harmless")] = None,
    place: Where_ = Place.USER,
    agent: Agent = "",
    run: Annotated[str, typer.Option(help="the run it comes from: the text is erased with its subject")] = "",
    because: Annotated[str, typer.Option(help="why the guards were wrong")] = "",
    json_: Json = False,
) -> None:
    """Keep a text of which the guards were wrong, as a case that they must pass from now on."""
    text = _shown(_text(file, 1_048_576))
    body: dict[str, Any] = {"text": text, "place": place.value, "agent": agent, "run_id": run, "because": because}
    body["expect"] = [{"guard": guard} for guard in expect or ()]
    with session_of(context).client() as client:
        made = client.post("/api/v1/guards/cases", body)
    show_json(made) if json_ else say(f"kept as {made['case_id']}")


@app.command()
def forget(
    context: typer.Context, case_id: Annotated[str, typer.Argument(metavar="CASE")], json_: Json = False
) -> None:
    """Forget a case that is kept."""
    with session_of(context).client() as client:
        client.delete(f"/api/v1/guards/cases/{case_id}")
    show_json({"case_id": case_id}) if json_ else say(f"{case_id} is forgotten")


def _cases(files: Sequence[Path]) -> list[Case]:
    return [case for file in files for case in load(file)]


def _text(file: Path | None, bytes_max: int) -> str:
    """Return a text as guards get it: bytes that are no UTF-8 stay visible as lone surrogates."""
    data = read_bounded(file, bytes_max) if file is not None else sys.stdin.buffer.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the text has more than {bytes_max} bytes")
    return data.decode("utf-8", "surrogateescape")


def _shown(text: str) -> str:
    """Return a text fit for a terminal."""
    return text.encode("utf-8", "replace").decode()


def _kept(context: typer.Context) -> list[dict[str, Any]]:
    return _pages(context, "/api/v1/guards/cases")


def _pages(context: typer.Context, path: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    with session_of(context).client() as client:
        while cursor is not None:
            page = client.get(path, cursor=cursor, limit=PAGE, **query)
            rows += page["items"]
            cursor = page["next_cursor"]
    return rows


def _expected(case: dict[str, Any] | None) -> str:
    return ", ".join(one["guard"] for one in case.get("expect", ())) or "nothing" if case else "erased"


def _beginning(case: dict[str, Any] | None) -> str:
    text: str = case["text"] if case else ""
    return text if len(text) <= 60 else f"{text[:60]}…"


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
