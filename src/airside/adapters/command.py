"""Commands: any program, in any language, that finds the gateways in its environment.

It finds its task as JSON in the file that `AIRSIDE_TASK_FILE` names, and in `AIRSIDE_TASK` if it is short enough for an
environment variable. What it writes to standard output is its result.
"""

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

from airside.runs.isolation.wire import Orders

VARIABLE_BYTES_MAX: Final = 100_000  # Linux allows 128 KiB for one


def execute(orders: Orders, report: int) -> NoReturn:
    """Become the program. Its standard output goes to the report, its standard error to the captured output."""
    file = Path.cwd() / "task.json"
    file.write_bytes(orders.input)
    os.environ["AIRSIDE_TASK_FILE"] = str(file)
    if len(orders.input) <= VARIABLE_BYTES_MAX:
        os.environ["AIRSIDE_TASK"] = orders.input.decode()
    os.dup2(report, 1)
    os.close(report)
    try:
        os.execvp(orders.command[0], orders.command)  # noqa: S606 - a program that the operator configured
    except OSError as error:
        sys.stderr.write(f"{orders.command[0]} cannot be executed: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(127)
