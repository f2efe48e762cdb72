"""Commands: any program, in any language, that finds the gateways in its environment.

It gets its task in `AIRSIDE_TASK` as JSON and as text on nothing else; what it writes to standard output is its result.
"""

import os
import sys
from typing import NoReturn

from airside.runs.isolation.wire import Orders


def execute(orders: Orders, report: int) -> NoReturn:
    """Become the program. Its standard output goes to the report, its standard error to the captured output."""
    task = orders.input
    if len(task) <= ENVIRONMENT_BYTES_MAX:
        os.environ["AIRSIDE_TASK"] = task.decode()
    os.dup2(report, 1)
    os.close(report)
    try:
        os.execvp(orders.command[0], orders.command)  # noqa: S606 - a program that the operator configured
    except OSError as error:
        sys.stderr.write(f"{orders.command[0]} cannot be executed: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(127)


ENVIRONMENT_BYTES_MAX = 100_000
"""One environment string may have 128 KiB on Linux; a longer task is on standard input only."""
