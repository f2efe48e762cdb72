"""How many files a guest holds open: counted and bounded in front of the engine's own WASI functions.

WASI functions act on the memory of the module that calls them. A module of a few instructions stands between: it shares
the guest's memory, passes `path_open` and `fd_close` on, and counts. As it can only exist once the guest's memory does,
the guest is given doors whose inside is hung in afterwards.
"""

from typing import Any, Final

_DOORS: Final = """(module
  (type $open (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (type $close (func (param i32) (result i32)))
  (table (export "inside") 2 funcref)
  (func (export "path_open") (type $open)
    local.get 0 local.get 1 local.get 2 local.get 3 local.get 4 local.get 5 local.get 6 local.get 7 local.get 8
    (call_indirect (type $open) (i32.const 0)))
  (func (export "fd_close") (type $close) local.get 0 (call_indirect (type $close) (i32.const 1))))"""

_COUNTER: Final = """(module
  (type $open (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (type $close (func (param i32) (result i32)))
  (import "guest" "memory" (memory 0))
  (import "doors" "inside" (table 2 funcref))
  (import "wasi" "path_open" (func $real_open (type $open)))
  (import "wasi" "fd_close" (func $real_close (type $close)))
  (export "memory" (memory 0))
  (global $most (import "limit" "most") i32)
  (global $now (mut i32) (i32.const 0))
  (global $peak (export "peak") (mut i32) (i32.const 0))
  (func $open (type $open) (local $error i32)
    (if (i32.ge_u (global.get $now) (global.get $most)) (then (return (i32.const 33))))
    local.get 0 local.get 1 local.get 2 local.get 3 local.get 4 local.get 5 local.get 6 local.get 7 local.get 8
    (local.set $error (call $real_open))
    (if (i32.eqz (local.get $error)) (then
      (global.set $now (i32.add (global.get $now) (i32.const 1)))
      (if (i32.gt_u (global.get $now) (global.get $peak)) (then (global.set $peak (global.get $now))))))
    (local.get $error))
  (func $close (type $close) (local $error i32)
    (local.set $error (call $real_close (local.get 0)))
    (if (i32.and (i32.eqz (local.get $error)) (i32.gt_u (global.get $now) (i32.const 0))) (then
      (global.set $now (i32.sub (global.get $now) (i32.const 1)))))
    (local.get $error))
  (elem (table 0) (i32.const 0) func $open $close))"""


class OpenFiles:
    """The doors of one guest."""

    def __init__(self, wt: Any, engine: Any, linker: Any, store: Any, most: int) -> None:
        self._store = store
        self._wt = wt
        self._engine = engine
        self._most = most
        self._counter: Any = None
        self._wasi = {name: linker.get(store, _WASI, name) for name in ("path_open", "fd_close")}
        self._doors = wt.Instance(store, wt.Module(engine, _DOORS), []).exports(store)
        for name in self._wasi:
            linker.define(store, _WASI, name, self._doors[name])

    def serve(self, memory: Any) -> None:
        """Hang in what counts, once the guest's memory exists and before it runs."""
        wt, store = self._wt, self._store
        linker = wt.Linker(self._engine)
        most = wt.Global(store, wt.GlobalType(wt.ValType.i32(), False), wt.Val.i32(self._most))
        linker.define(store, "guest", "memory", memory)
        linker.define(store, "doors", "inside", self._doors["inside"])
        linker.define(store, "limit", "most", most)
        for name, function in self._wasi.items():
            linker.define(store, "wasi", name, function)
        self._counter = linker.instantiate(store, wt.Module(self._engine, _COUNTER)).exports(store)

    def peak(self) -> int:
        """Return how many files were open at the same time, at most."""
        return int(self._counter["peak"].value(self._store))


_WASI: Final = "wasi_snapshot_preview1"


def counted(wt: Any, engine: Any, linker: Any, store: Any, most: int) -> OpenFiles:
    """Bound the files that a guest linked with `linker` may hold open."""
    return OpenFiles(wt, engine, linker, store, most)
