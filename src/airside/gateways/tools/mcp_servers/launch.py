"""Run as a script: sets limits for an MCP server's process, ties its life to airside's, and becomes the server.

It imports nothing of airside, because it runs in an interpreter of its own that should start in no time.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """`launch.py PARENT MEMORY_BYTES OPEN_FILES COMMAND...`"""
    parent, memory, files, *command = sys.argv[1:]
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        sys.exit("airside: limits cannot be set here")
    if os.getppid() != int(parent):  # it died before we asked to be told
        sys.exit(1)
    # Not address space: runtimes such as Node's reserve many times what they ever use
    limits = ((resource.RLIMIT_DATA, int(memory)), (resource.RLIMIT_NOFILE, int(files)), (resource.RLIMIT_CORE, 0))
    for kind, value in limits:
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))
    try:
        os.execvp(command[0], command)  # noqa: S606 - the operator's command, as a list
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
