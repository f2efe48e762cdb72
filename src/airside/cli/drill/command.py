"""`airside drill`: does this configuration contain the failures that agents are known for?"""

import json
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from airside.cli.drill.drills import DRILLS, Finding
from airside.cli.exits import Exit
from airside.cli.group import group
from airside.cli.output import say
from airside.cli.session import session_of
from airside.cli.throwaway import Conversation, Installation
from airside.config.settings import Settings
from airside.core.errors import AirsideError, Code

HERE = Path(__file__).parent
PROTECTING = {"budgets", "context", "resilience", "rates"}
DEAR = {"input": "400", "output": "1600"}
CHEAP = {"input": "0.10", "output": "0.40"}

app = group()


@app.command()
def drill(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help=f"which: {', '.join(DRILLS)}; else all")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print only one JSON line per drill")] = False,
) -> None:
    """Make failures happen to an installation of its own under your limits (budgets, context, resilience, rates).

    Models are scripted, the data folder is a temporary one: nothing of yours is called or changed. Exit code 1 if a
    failure was not contained.
    """
    wanted = names or list(DRILLS)
    for name in wanted:
        if name not in DRILLS:
            raise AirsideError(Code.INVALID_REQUEST, f"there is no drill {name!r}; known: {', '.join(DRILLS)}")
    folder = Path(tempfile.mkdtemp(prefix="airside-drill-"))
    installation = Installation(folder, _settings(session_of(context).settings()))
    installation.create()
    try:
        findings = _played(installation, wanted, in_json=as_json)
    finally:
        installation.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if not all(finding.contained for finding in findings):
        raise typer.Exit(Exit.FAILED)


def _played(installation: Installation, names: list[str], *, in_json: bool) -> list[Finding]:
    stage = Conversation(installation)
    findings = []
    for name in names:
        finding = DRILLS[name](stage)
        if in_json:
            said = {"drill": finding.drill, "contained": finding.contained, **finding.figures, "told": finding.told}
            print(json.dumps(said))
        else:
            say(f"{'contained' if finding.contained else 'NOT CONTAINED'}  {finding.drill}: {finding.told}")
        findings.append(finding)
    stage.client.close()
    return findings


def _settings(own: Settings) -> dict[str, Any]:
    """Return the drills' settings: agents and models of theirs, limits of this installation."""
    limits = own.model_dump(mode="json", include=PROTECTING)
    agent = {"adapter": "plain"}
    return {
        **limits,
        "max_cost_per_query": None if own.max_cost_per_query is None else str(own.max_cost_per_query),
        "providers": {
            "drill": {"kind": "scripted", "script": str(HERE / "script.yaml")},
            "down": {"kind": "openai_compatible", "base_url": f"http://127.0.0.1:{_closed_port()}/v1"},
        },
        "models": {
            "dear": {"provider": "drill", "price": DEAR},
            "small": {"provider": "drill", "price": CHEAP, "context_tokens": 1_200},
            "cheap": {"provider": "drill", "price": CHEAP},
            "unreachable": {"provider": "down", "price": CHEAP},
        },
        "agents": {
            "spender": agent | {"entry": "airside.cli.drill.agents:spender", "model": "dear"},
            "reader": agent | {"entry": "airside.cli.drill.agents:reader", "model": "small"},
            "fragile": agent | {"entry": "airside.cli.drill.agents:caller", "model": "unreachable"},
            "steady": agent | {"entry": "airside.cli.drill.agents:caller", "model": "cheap"},
        },
    }


def _closed_port() -> int:
    """Return a port of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
