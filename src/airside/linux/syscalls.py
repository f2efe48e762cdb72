"""A seccomp filter around an attempt in namespaces: what an agent never needs, and escapes are made of, is refused.

Namespaces alone leave doors open: a process may make further user namespaces, in which it is root again and mounts
memory without bound; kernel keyrings are inherited; and sockets of some families (vsock, which reaches a virtual
machine's host) belong to no network namespace. Refused calls fail with an error; other architectures' calls kill.
"""

import errno
import os
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

from airside.linux import calls

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_FAMILIES: Final = (_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK)
_CLONE_NEWCGROUP: Final = 0x0200_0000
_CLONE_THREAD: Final = 0x0001_0000
_NAMESPACES: Final = (
    calls.CLONE_NEWNS
    | _CLONE_NEWCGROUP
    | calls.CLONE_NEWUTS
    | calls.CLONE_NEWIPC
    | calls.CLONE_NEWUSER
    | calls.CLONE_NEWPID
    | calls.CLONE_NEWNET
)
_CLONE3: Final = 435  # its flags lie in memory, out of a filter's sight; as if unknown, so that libc takes clone
_X32_BIT: Final = 0x4000_0000
_IO_URING: Final = (425, 426, 427)  # the same on every architecture; it would pass the filter by

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16  # in struct seccomp_data, on little-endian machines
_KILL, _FAIL, _ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000


class _Machine(NamedTuple):
    """An architecture's name in audit records and its numbers of system calls."""

    audit: int
    socket: int
    clone: int
    refused: Mapping[str, int]
    needless: Mapping[str, int]


_NAMES: Final = (
    *("ptrace", "unshare", "setns", "add_key", "request_key", "keyctl", "bpf", "perf_event_open", "userfaultfd"),
    *("open_by_handle_at", "process_vm_readv", "process_vm_writev"),
)
_NEEDLESS: Final = (
    *("execve", "execveat", "mount", "umount2", "chroot", "pivot_root", "socket", "socketpair", "connect"),
    *("kill", "tkill", "setuid", "setgid", "setresuid", "setresgid"),
)
"""What a process that only computes has no use for."""
_FORKS: Final = {"fork": 57, "vfork": 58}  # only x86_64 has them
_MACHINES: Final = {
    "x86_64": _Machine(
        0xC000_003E,
        41,
        56,
        dict(zip(_NAMES, (101, 272, 308, 248, 249, 250, 321, 298, 323, 304, 310, 311), strict=True)),
        dict(zip(_NEEDLESS, (59, 322, 165, 166, 161, 155, 41, 53, 42, 62, 200, 105, 106, 117, 119), strict=True))
        | _FORKS,
    ),
    "aarch64": _Machine(
        0xC000_00B7,
        198,
        220,
        dict(zip(_NAMES, (117, 97, 268, 217, 218, 219, 280, 241, 282, 265, 270, 271), strict=True)),
        dict(zip(_NEEDLESS, (221, 281, 40, 39, 51, 41, 198, 199, 203, 129, 130, 146, 144, 147, 149), strict=True)),
    ),
}


def restrict(*, alone: bool = False) -> None:
    """Refuse those calls to this process and all it starts, for good. Needs `calls.forbid_new_privileges` first.

    `alone` is for a process that only computes: it may start threads, but no process, and open no socket at all.
    """
    calls.filter_calls(program(alone=alone))


def program(*, alone: bool = False) -> bytes:
    """Return the filter for this machine in the kernel's language (classic BPF)."""
    machine = _MACHINES[os.uname().machine]
    refused = (*machine.refused.values(), *_IO_URING, *(machine.needless.values() if alone else ()))
    fork = _instruction(_RETURN, _FAIL | errno.EPERM) if alone else _instruction(_RETURN, _ALLOW)
    clone = b"".join(
        [
            _instruction(_LOAD, _FIRST_ARGUMENT_AT),
            *_when(_JUMP_BITS, _NAMESPACES, _FAIL | errno.EPERM),
            *_when(_JUMP_BITS, _CLONE_THREAD, _ALLOW),
            fork,
        ]
    )
    return b"".join(
        [
            _instruction(_LOAD, _ARCHITECTURE_AT),
            _instruction(_JUMP_EQUAL, machine.audit, 1, 0),
            _instruction(_RETURN, _KILL),
            _instruction(_LOAD, _NUMBER_AT),
            *_when(_JUMP_AT_LEAST, _X32_BIT, _FAIL | errno.ENOSYS),
            *_when(_JUMP_EQUAL, _CLONE3, _FAIL | errno.ENOSYS),
            *[part for number in refused for part in _refused(number)],
            _instruction(_JUMP_EQUAL, machine.clone, 0, len(clone) // 8),
            clone,
            _instruction(_JUMP_EQUAL, machine.socket, 0, 1 + 2 * len(_FAMILIES) + 1),
            _instruction(_LOAD, _FIRST_ARGUMENT_AT),
            *[part for family in _FAMILIES for part in _when(_JUMP_EQUAL, family, _ALLOW)],
            _instruction(_RETURN, _FAIL | errno.EAFNOSUPPORT),
            _instruction(_RETURN, _ALLOW),
        ]
    )


def _refused(number: int) -> tuple[bytes, bytes]:
    return _when(_JUMP_EQUAL, number, _FAIL | errno.EPERM)


def _when(test: int, value: int, verdict: int) -> tuple[bytes, bytes]:
    """Give a verdict if what was loaded passes a test, else go on."""
    return _instruction(test, value, 0, 1), _instruction(_RETURN, verdict)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
