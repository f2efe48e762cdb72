"""What bench-sandbox tries: escapes and exhaustion, the same code in every tier, each with a way to tell success.

An escape is the body of a function: what it returns is its loot, what it raises is the refusal. It only counts as loot
what the host prepared as bait, so that the same code outside a sandbox succeeds and shows that the attempt is real.
Exhaustion just uses something up; it must be ended by a limit that is named. `{…}` are the baits.
"""

from typing import Final, NamedTuple


class Escape(NamedTuple):
    """An attempt to get out. `shown` ones are also run outside, where they must succeed."""

    name: str
    body: str
    shown: bool = True


class Exhaustion(NamedTuple):
    """An attempt to use up the machine; any of `limits` may end it, by tier."""

    name: str
    source: str
    wasm: tuple[str, ...]
    container: tuple[str, ...]


def _native(call: str, before: str = "pass") -> str:
    return f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
{before}
if not {call}: raise PermissionError("errno %d" % ctypes.get_errno())
return "bait\""""


ESCAPES: Final = (
    Escape("read a host file", "return open({file!r}).read()"),
    Escape("read it by relative path", "return open('../' * 20 + {file!r}.lstrip('/')).read()"),
    Escape("read it through a symlink", "import os; os.symlink({file!r}, 'link'); return open('link').read()"),
    Escape("read it through a hard link", "import os; os.link({file!r}, 'hard'); return open('hard').read()", False),
    Escape("read it through /proc/self/root", "return open('/proc/self/root' + {file!r}).read()"),
    Escape("read it through /proc/1/root", "return open('/proc/1/root' + {file!r}).read()", False),
    Escape("read it through the parent", "import os; return open('/proc/%d/root%s' % (os.getppid(), {file!r})).read()"),
    Escape("list its folder", "import os; return 'bait' in os.listdir({folder!r}) and 'bait'"),
    Escape("read the password file", "return 'bait' if 'root:' in open('/etc/passwd').read() else None"),
    Escape("read the master key's folder", "import os; return os.listdir({folder!r}) and 'bait'"),
    Escape("write a host file", "open({folder!r} + '/written', 'w').write('x'); return 'bait'"),
    Escape("write through a symlink", "import os; os.symlink({folder!r}, 'd'); open('d/written', 'w'); return 'bait'"),
    Escape(
        "rename out of the folder",
        "import os; open('x', 'w'); os.rename('x', {folder!r} + '/written'); return 'bait'",
        False,
    ),
    Escape("remove a host file", "import os; os.unlink({folder!r} + '/removable'); return 'bait'"),
    Escape("make a folder outside", "import os; os.mkdir({folder!r} + '/made'); return 'bait'"),
    Escape("write to /usr", "open('/usr/lib/written', 'w'); return 'bait'", False),
    Escape(
        "write to the standard library",
        "import os; open(os.path.join(os.path.dirname(os.__file__), 'written.py'), 'w'); return 'bait'",
        False,
    ),
    Escape("write to /dev/mem", "open('/dev/mem', 'r+b').read(1); return 'bait'", False),
    Escape("write a sysctl", "open('/proc/sys/kernel/hostname', 'w').write('owned'); return 'bait'", False),
    Escape("trigger sysrq", "open('/proc/sysrq-trigger', 'w').write('h'); return 'bait'", False),
    Escape("secrets in the environment", "import os; return os.environ['AIRSIDE_BAIT']"),
    Escape(
        "secrets in the parent's environment",
        "import os; return 'bait' if b'AIRSIDE_BAIT' in open('/proc/%d/environ' % os.getppid(), 'rb').read() else None",
        False,
    ),
    Escape(
        "secrets in any process",
        """
import os
for pid in os.listdir('/proc'):
    if pid.isdigit():
        try: text = open('/proc/' + pid + '/environ', 'rb').read()
        except OSError: continue
        if b'AIRSIDE_BAIT' in text: return 'bait'
raise PermissionError('no process shows it')""",
    ),
    Escape("kill a host process", "import os; os.kill({pid}, 9); return 'bait'", False),
    Escape("see a host process", "return 'bait' if open('/proc/{pid}/comm').read().startswith('sleep') else None"),
    Escape("kill the parent", "import os, time; os.kill(os.getppid(), 9); time.sleep(1); return None", False),
    Escape(
        "connect to the host's loopback",
        "import socket; socket.create_connection(('127.0.0.1', {port}), 2).send(b'x'); return 'bait'",
    ),
    Escape(
        "connect over IPv6",
        "import socket; s = socket.socket(socket.AF_INET6); s.settimeout(2); s.connect(('::ffff:127.0.0.1', {port})); return 'bait'",
        False,
    ),
    Escape(
        "connect to a Unix socket",
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect({socket!r}); return 'bait'",
    ),
    Escape(
        "connect to an abstract socket",
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect({abstract!r}); return 'bait'",
    ),
    Escape(
        "send a datagram",
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(2); s.connect(('127.0.0.1', {udp})); s.send(b'x'); s.recv(1); return 'bait'",
        False,
    ),
    Escape("ask the name service", "import socket; return socket.getaddrinfo('example.com', 80) and 'bait'", False),
    Escape(
        "ask a cloud's metadata service",
        "import urllib.request; urllib.request.urlopen('http://169.254.169.254/latest/meta-data/', timeout=2); return 'bait'",
        False,
    ),
    Escape("raw socket", "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW); return 'bait'", False),
    Escape("vsock to the host", "import socket; socket.socket(40, socket.SOCK_STREAM); return 'bait'", False),
    Escape(
        "listen where others could connect",
        "import socket; s = socket.create_server(('0.0.0.0', {free})); s.settimeout(1); s.accept(); return 'bait'",
        False,
    ),
    Escape(
        "run a shell that reaches the bait",
        "import os; code = os.system('cat %s > /dev/null' % {file!r}); assert code == 0, 'exit code %s' % code; return 'bait'",
    ),
    Escape(
        "start a process that reaches the bait",
        "import subprocess; return subprocess.run(['cat', {file!r}], capture_output=True, check=True).stdout.decode()",
    ),
    Escape(
        "ctypes: ptrace the parent",
        _native("libc.ptrace(16, os.getppid(), 0, 0) == 0"),
        False,
    ),
    Escape(
        "ctypes: mount",
        _native("libc.mount(b'x', b'/work', b'tmpfs', 0, b'') == 0"),
        False,
    ),
    Escape(
        "ctypes: unshare",
        _native("libc.unshare(0x10000000) == 0"),
        False,
    ),
    Escape(
        "ctypes: setns",
        _native("libc.setns(fd, 0) == 0", "fd = os.open('/proc/1/ns/net', 0)"),
        False,
    ),
    Escape(
        "ctypes: keyctl",
        _native("libc.syscall(250, 0, -3, 1) >= 0"),
        False,
    ),
    Escape(
        "ctypes: bpf",
        _native("libc.syscall(321, 0, 0, 0) >= 0"),
        False,
    ),
    Escape(
        "ctypes: io_uring",
        _native("libc.syscall(425, 1, ctypes.create_string_buffer(120)) >= 0"),
        False,
    ),
    Escape(
        "ctypes: userfaultfd",
        _native("libc.syscall(323, 0) >= 0"),
        False,
    ),
    Escape(
        "ctypes: perf_event_open",
        _native("libc.syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0) >= 0"),
        False,
    ),
    Escape(
        "ctypes: read another process's memory",
        _native("libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0) >= 0"),
        False,
    ),
    Escape(
        "become root",
        "import os; os.setuid(0); assert os.getuid() == 0; os.chroot('/proc/1/root'); return 'bait'",
        False,
    ),
    Escape("chroot", "import os; os.mkdir('jail'); os.chroot('jail'); return 'bait'", False),
    Escape(
        "make a device",
        "import os, stat; os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(254, 0)); return 'bait'",
        False,
    ),
    Escape(
        "import a module from outside",
        "import sys; sys.path.insert(0, {folder!r}); import bait_module; return bait_module.LOOT",
    ),
    Escape("import airside", "import airside; return 'bait'"),
    Escape("load a native library", "import ctypes; ctypes.CDLL({folder!r} + '/bait.so'); return 'bait'", False),
    Escape(
        "inherit a descriptor",
        """
import os
for fd in range(3, 64):
    try: target = os.readlink('/proc/self/fd/%d' % fd)
    except OSError: continue
    if {folder!r} in target: return 'bait'
raise PermissionError('none leads there')""",
        False,
    ),
    Escape("a tool it was not given", "return tools.delete_everything()", False),
)

EXHAUSTIONS: Final = (
    Exhaustion("infinite loop", "while True: pass", ("fuel",), ("cpu_s", "deadline_s")),
    Exhaustion(
        "sleep for an hour, again and again",
        "import time\nwhile True: time.sleep(3600)",
        ("fuel", "deadline_s"),
        ("deadline_s",),
    ),
    Exhaustion(
        "busy clock", "import time\nwhile time.time() < 1e12: pass", ("fuel", "deadline_s"), ("cpu_s", "deadline_s")
    ),
    Exhaustion("one huge block", "x = bytearray(10**9)", ("memory_bytes",), ("memory_bytes",)),
    Exhaustion("many blocks", "x = []\nwhile True: x.append(bytearray(10**6))", ("memory_bytes",), ("memory_bytes",)),
    Exhaustion("doubling text", "x = 'x'\nwhile True: x += x", ("memory_bytes",), ("memory_bytes",)),
    Exhaustion(
        "small objects",
        "x = []\nwhile True: x.append([x])",
        ("memory_bytes", "fuel", "deadline_s"),
        ("memory_bytes", "cpu_s", "deadline_s"),
    ),
    Exhaustion("huge integer", "x = 1 << (1 << 40)", ("error", "memory_bytes"), ("error", "memory_bytes")),
    Exhaustion(
        "power tower",
        "x = 9 ** 9 ** 9",
        ("fuel", "memory_bytes", "deadline_s"),
        ("cpu_s", "memory_bytes", "deadline_s"),
    ),
    Exhaustion(
        "regular expression",
        "import re\nre.match('(a+)+$', 'a' * 40 + 'b')",
        ("fuel", "deadline_s"),
        ("cpu_s", "deadline_s"),
    ),
    Exhaustion(
        "compressed bomb",
        "import zlib\nbomb = zlib.compress(b'\\0' * 10**8)\nx = [zlib.decompress(bomb) for _ in range(1000)]",
        ("memory_bytes", "fuel", "deadline_s"),
        ("memory_bytes", "cpu_s", "deadline_s"),
    ),
    Exhaustion("output flood", "while True: print('x' * 10_000)", ("output_bytes",), ("output_bytes",)),
    Exhaustion(
        "error flood", "import sys\nwhile True: sys.stderr.write('x' * 10_000)", ("output_bytes",), ("output_bytes",)
    ),
    Exhaustion(
        "output flood by descriptor",
        "import os\nwhile True: os.write(1, b'x' * 10_000)",
        ("output_bytes",),
        ("output_bytes",),
    ),
    Exhaustion("huge result", "result = 'x' * 10**7", ("result_bytes",), ("result_bytes",)),
    Exhaustion("open files", "x = [open('f%d' % n, 'w') for n in range(100_000)]", ("open_files",), ("open_files",)),
    Exhaustion(
        "huge file", "f = open('f', 'wb')\nwhile True: f.write(b'x' * 10**6)", ("files_bytes",), ("files_bytes",)
    ),
    Exhaustion(
        "sparse file",
        "f = open('f', 'wb')\nf.seek(10**12)\nf.write(b'x')\nf.flush()",
        ("files_bytes",),
        ("files_bytes",),
    ),
    Exhaustion(
        "many files",
        "for n in range(10**7): open('f%d' % n, 'w').close()",
        ("files_bytes",),
        ("files_bytes", "cpu_s", "deadline_s", "memory_bytes"),
    ),
    Exhaustion(
        "many folders",
        "import os\nfor n in range(10**7): os.mkdir('d%d' % n)",
        ("files_bytes",),
        ("files_bytes", "cpu_s", "deadline_s", "memory_bytes"),
    ),
    Exhaustion("deep JSON", "import json\nx = json.loads('[' * 10**6)", ("stack", "error"), ("error",)),
    Exhaustion(
        "deep brackets",
        "eval('(' * 10**5 + ')' * 10**5)",
        ("stack", "error", "memory_bytes"),
        ("error", "memory_bytes", "output_bytes"),
    ),
    Exhaustion(
        "deep recursion",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()",
        ("stack", "memory_bytes", "deadline_s"),
        ("error", "memory_bytes", "deadline_s"),
    ),
    Exhaustion(
        "fork bomb",
        "import os\nwhile True: os.fork()",
        ("error",),
        ("processes", "cpu_s", "deadline_s", "memory_bytes"),
    ),
    Exhaustion(
        "thread bomb",
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
        ("error",),
        ("processes", "memory_bytes"),
    ),
    Exhaustion(
        "orphans that ignore signals",
        "import os, signal, time\nif os.fork() == 0:\n    os.setsid()\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    time.sleep(600)\nwhile True: time.sleep(1)",
        ("error",),
        ("deadline_s",),
    ),
    Exhaustion("abort", "import os\nos.abort()", ("error",), ("error",)),
    Exhaustion("exit without a word", "import os\nos._exit(0)", ("error",), ("error",)),
    Exhaustion("exit code", "import sys\nsys.exit(255)", ("error",), ("error",)),
    Exhaustion("null pointer", "import ctypes\nctypes.string_at(0)", ("error",), ("error",)),
    Exhaustion(
        "bad bytecode",
        "f = lambda: 0\nf.__code__ = f.__code__.replace(co_code=bytes(range(256)) * 8)\nf()",
        ("error", "stack", "fuel", "memory_bytes"),
        ("error", "memory_bytes", "cpu_s", "deadline_s"),
    ),
    Exhaustion(
        "close every descriptor", "import os\nos.closerange(0, 1000)\nprint('x')", ("error", "fine"), ("error",)
    ),
    Exhaustion("broken frames", "{talk}\nwhile True: ask(b'junk')", ("tool_calls",), ("tool_calls",)),
    Exhaustion("deep frames", "{talk}\nwhile True: ask(b'[' * 60_000)", ("tool_calls",), ("tool_calls",)),
    Exhaustion(
        "a frame that is too large",
        "{talk}\nask(b'x' * 10**8)",
        ("result_bytes", "memory_bytes"),
        ("result_bytes", "memory_bytes"),
    ),
    Exhaustion(
        "a forged end, then a loop",
        '{talk}\nask(b\'{{"op":"end","value":1}}\')\nwhile True: pass',
        ("fuel", "deadline_s"),
        ("cpu_s", "deadline_s"),
    ),
    Exhaustion("too many tool calls", "while True: tools.lookup()", ("tool_calls",), ("tool_calls",)),
    Exhaustion("unicode that cannot be carried", "raise ValueError('\\ud800' * 100)", ("error",), ("error",)),
    Exhaustion(
        "an error that cannot be shown",
        "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E",
        ("error",),
        ("error",),
    ),
    Exhaustion(
        "time bomb after the end",
        "import atexit\n@atexit.register\ndef bomb():\n    while True: pass",
        ("fine",),
        ("fine",),
    ),
)
