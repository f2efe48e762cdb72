"""`airside up`: all of airside in one process."""

import typer

from airside.cli.group import group
from airside.cli.output import Json
from airside.cli.serve import Port, start
from airside.cli.session import session_of
from airside.plane import Role

app = group()


@app.command()
def up(context: typer.Context, port: Port = None, json_: Json = False) -> None:
    """Start airside: gateways, management API and worker in one process. Stop it with Ctrl+C."""
    start(session_of(context), frozenset(Role), port, json_=json_)
