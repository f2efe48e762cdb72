"""How every command group of the CLI is made, so that all look and behave alike."""

import typer


def group(help_: str = "") -> typer.Typer:
    """Return a group of commands: plain help, no shell completion, errors left to the one boundary in `main`.

    With `help_` its commands have names of their own, even if there is only one.
    """
    app = typer.Typer(
        help=help_ or None,
        no_args_is_help=bool(help_),
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    if help_:
        app.callback()(_nothing)  # else Typer takes a group of one command for that command
    return app


def _nothing() -> None:
    """Do nothing before a command."""
