"""Agents that try what an attempt must not do, or show what it is given."""

import asyncio
import contextlib
import ctypes
import datetime
import errno
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

seen = []


async def look(task, model, tools):
    """Tell what the process has."""
    descriptors = {int(entry.name) for entry in os.scandir("/proc/self/fd")}
    return {
        "environment": dict(os.environ),
        "initial_environment": Path("/proc/self/environ").read_bytes().decode(errors="replace"),
        "folder": str(Path.cwd()),
        "uid": os.getuid(),
        "session": os.getsid(0) == os.getpid(),
        "umask": os.umask(0o022),
        "status": Path("/proc/self/status").read_text(),
        "processes": sum(entry.name.isdigit() for entry in os.scandir("/proc")),
        "descriptors": sorted(descriptors),
    }


async def numbers(task, model, tools):
    """Tell what should be the same in every attempt."""
    drawn = [random.random(), str(uuid.uuid4()), str(uuid.uuid1()), str(uuid.uuid4())]
    before = [
        time.time(),
        time.time_ns(),
        str(datetime.datetime.now(datetime.UTC)),
        str(datetime.datetime.now(datetime.UTC).date()),
    ]
    started = time.monotonic()
    await asyncio.sleep(0.01)
    await model.complete("hello")
    return {"drawn": drawn, "before": before, "after": time.time(), "slept": time.monotonic() - started}


async def read(task, model, tools):
    """Try to read each path."""
    found = {}
    for path in task:
        try:
            found[path] = (
                Path(path).read_text() if not Path(path).is_dir() else str([entry.name for entry in os.scandir(path)])
            )
        except OSError as error:
            found[path] = type(error).__name__
    return found


async def write(task, model, tools):
    """Try to write to each path."""
    found = {}
    for path in task:
        try:
            Path(path).write_text("was here")
            found[path] = "written"
        except OSError as error:
            found[path] = type(error).__name__
    return found


async def connect(task, model, tools):
    """Try to reach each address; a text is the path of a Unix socket."""
    found = []
    for address in task:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        with socket.socket(family) as probe:
            probe.settimeout(2)
            try:
                probe.connect(address if isinstance(address, str) else tuple(address))
                found.append("connected")
            except OSError as error:
                found.append(type(error).__name__)
    return found


async def ask(task, model, tools):
    """Ask the model gateway."""
    return await model.text(task)


async def count(task, model, tools):
    """Change the module and the folder, and tell what was there before."""
    seen.append(task)
    there = sorted(entry.name for entry in os.scandir("."))
    Path("left-behind").write_text(str(task))
    await asyncio.sleep(0.05)
    return {"seen": len(seen), "there": there, "mine": Path("left-behind").read_text(), "folder": str(Path.cwd())}


def fork_bomb(task, model, tools):
    """Fork without end."""
    made = 0
    while True:
        try:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            made += 1
        except OSError as error:
            return {"made": made, "error": type(error).__name__}


def memory_bomb(task, model, tools):
    """Take memory without end."""
    taken = []
    while True:
        taken.append(bytearray(16 << 20))


def file_bomb(task, model, tools):
    """Open files without end."""
    taken = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    for descriptor in taken:
        os.close(descriptor)
    return len(taken)


async def daemons(task, model, tools):
    """Leave grandchildren in sessions of their own that ignore SIGTERM, then wait or return as told."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for _ in range(2):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execvp("sleep", ["sleep", task["marker"]])
            os._exit(0)
    subprocess.Popen(["sleep", task["marker"]], start_new_session=True)
    if task["wait"]:
        await asyncio.sleep(3600)
    return "left them"


def raises(task, model, tools):
    """Fail."""
    raise ValueError("the task makes no sense")


def unserialisable(task, model, tools):
    """Return what is not JSON."""
    return {"a": object()}


def large(task, model, tools):
    """Return much."""
    return "x" * task


def leaves(task, model, tools):
    """End the interpreter."""
    sys.exit(3)


def dies(task, model, tools):
    """Be killed after a word."""
    sys.stderr.write("noise\n" * 50_000 + "the last words\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


async def waits(task, model, tools):
    """Wait for ever."""
    print("waiting", flush=True)
    await asyncio.sleep(3600)


async def escape(task, model, tools):
    """Try what escapes from namespaces are made of, and what must go on working; tell the errors' names."""
    libc = ctypes.CDLL(None, use_errno=True)
    here = os.uname().machine == "x86_64"

    def system_call(number, *arguments):
        result = libc.syscall(number, *map(ctypes.c_long, arguments))
        return errno.errorcode[ctypes.get_errno()] if result < 0 else "done"

    def family(number):
        try:
            socket.socket(number, socket.SOCK_STREAM).close()
        except OSError as error:
            return errno.errorcode[error.errno]
        return "done"

    threading.Thread(target=int).start()
    return {
        "unshare a user namespace": system_call(272 if here else 97, 0x1000_0000),
        "clone into a user namespace": system_call(56 if here else 220, 0x1000_0000 | 17, 0, 0, 0, 0),
        "the session's keyring": system_call(250 if here else 219, 0, -3, 0),
        "io_uring": system_call(425, 1, 0),
        "vsock": family(40),
        "kernel cryptography": family(38),
        "unix": family(socket.AF_UNIX),
        "internet": family(socket.AF_INET6),
        "a program": subprocess.run(["true"], check=True).returncode,
    }
