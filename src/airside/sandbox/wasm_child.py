"""`python -I -m airside.sandbox.wasm_child`: one disposable process around one execution in WebAssembly.

WebAssembly is the first wall. This process is the second, in case the engine has a hole: before it runs a guest it has
no network, no files but an empty, bounded folder and the standard library's archive, no privilege, no way to start a
process or to look into one; and it dies with the process that started it.
"""

import contextlib
import os
import resource
import signal
import stat
from pathlib import Path
from typing import Any, Final

from airside.linux import calls, syscalls
from airside.sandbox import engine, wire

INSIDE_ID: Final = 1_000
NOBODY: Final = 65_534
ROOM: Final = "/tmp"  # noqa: S108 - where this process's own empty file system is laid, seen by it alone
WORK: Final = "/work"
LIBRARY: Final = "/library"
INODES_MAX: Final = 1_024
CPU_GRACE_S: Final = 10
DESCRIPTORS_BESIDE: Final = 64  # the engine's own
_SPACES: Final = calls.CLONE_NEWNS | calls.CLONE_NEWNET | calls.CLONE_NEWIPC | calls.CLONE_NEWUTS


def main() -> None:
    """Load, wait for a job, confine, execute, tell, end."""
    answers, asks = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    try:
        setup = wire.setup_decoder.decode(wire.read_frame(answers)[1])
        _be_nobody(setup.parent)
        wt, machine, module = _load(setup.compiled)
        wire.write_frame(asks, wire.READY)
        job = wire.job_decoder.decode(wire.read_frame(answers)[1])
        confined = _confine(job, setup.library)
    except EOFError:
        os._exit(0)  # nobody wants an execution any more
    except Exception as error:  # noqa: BLE001 - whatever it is, the host must be told, there is no other way to
        wire.write_frame(asks, wire.PROBLEM, f"{type(error).__name__}: {error}"[:2_000].encode())
        os._exit(1)

    def exchange(frame: bytes) -> bytes:
        wire.write_frame(asks, wire.HOST_CALL, frame)
        return wire.read_frame(answers)[1]

    try:
        ended = engine.Execution(wt, machine, module, job, exchange).run(
            WORK if confined else None, LIBRARY if confined else str(Path(setup.library).parent)
        )
    except Exception as error:  # noqa: BLE001 - as above
        wire.write_frame(asks, wire.PROBLEM, f"{type(error).__name__}: {error}"[:2_000].encode())
        os._exit(1)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    ended.cpu_s, ended.confined = usage.ru_utime + usage.ru_stime, confined
    wire.write_frame(asks, wire.ENDED, ended)
    os._exit(0)  # without the interpreter's end: the engine's threads would be surprised by it


def _be_nobody(parent: int) -> None:
    calls.hide_memory()
    calls.die_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _load(path: str) -> tuple[Any, Any, Any]:
    """Load the compiled engine. It is native code: a file that others may have written is refused (ValueError)."""
    import wasmtime as wt  # the extra `wasm`

    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise ValueError(f"{path} could have been written by others, so it is not loaded")
    machine = engine.configured(wt)
    module = wt.Module.deserialize_file(machine, f"/proc/self/fd/{descriptor}")
    os.close(descriptor)
    return wt, machine, module


def _confine(job: wire.Job, library: str) -> bool:
    """Give up everything; True if that includes the machine's files and its network (namespaces)."""
    try:
        _move_out(job, library)
        confined = True
    except OSError:
        confined = False  # a kernel without user namespaces: the guest gets no folder to write in
    cpu_s = int(job.deadline_s) + CPU_GRACE_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_NOFILE, (job.open_files + DESCRIPTORS_BESIDE,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (job.files_bytes, job.files_bytes) if confined else (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    calls.forbid_new_privileges()
    if confined:
        calls.drop_capabilities()
    syscalls.restrict(alone=True)
    calls.hide_memory()
    calls.die_with_parent(signal.SIGKILL)  # a change of user cancels the first
    return confined


def _move_out(job: wire.Job, library: str) -> None:
    """Move into namespaces with nothing in them but a bounded folder and the archive."""
    privileged = _enter()
    archive = os.open(library, os.O_PATH | os.O_CLOEXEC)  # only now: what is laid must be of this namespace
    calls.mount("", "/", "", calls.MS_REC | calls.MS_PRIVATE)
    small = f"size={job.files_bytes},nr_inodes={INODES_MAX},mode=755"
    calls.mount("airside", ROOM, "tmpfs", calls.MS_NOSUID | calls.MS_NODEV | calls.MS_NOEXEC, small)
    for place in (WORK, LIBRARY):
        Path(ROOM + place).mkdir()
        Path(ROOM + place).chmod(0o777)
    target = f"{ROOM}{LIBRARY}/{Path(library).name}"
    Path(target).touch()
    calls.mount(f"/proc/self/fd/{archive}", target, "", calls.MS_BIND)
    calls.make_read_only(target)
    os.close(archive)
    os.chroot(ROOM)
    os.chdir("/")
    if privileged:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _enter() -> bool:
    """Enter the namespaces; True if it took root's privilege, which is still to be given up."""
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):
            calls.unshare(_SPACES)
            return True
    uid, gid = os.geteuid(), os.getegid()
    calls.unshare(_SPACES | calls.CLONE_NEWUSER)
    calls.show_memory()  # else its own /proc entries belong to root
    for file, text in (("setgroups", "deny"), ("uid_map", f"{INSIDE_ID} {uid} 1"), ("gid_map", f"{INSIDE_ID} {gid} 1")):
        descriptor = os.open(f"/proc/self/{file}", os.O_WRONLY)
        os.write(descriptor, text.encode())
        os.close(descriptor)
    return False


if __name__ == "__main__":
    main()
