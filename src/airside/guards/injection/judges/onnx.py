"""A sequence classifier on this machine, of the kind of Prompt Guard: `model.onnx` beside its `tokenizer.json`.

It needs the extra `local`. Texts longer than the model can read are scored in windows, and the worst counts.
"""

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from airside.core.errors import AirsideError, Code
from airside.core.run import Identity
from airside.guards.finding import Place

TOKENS_MAX: Final = 512
OVERLAP: Final = 64


class LocalModel:
    """Asks a model in a folder. It is loaded when it is made; one thread of its own runs it."""

    def __init__(self, folder: str, attack_labels: Sequence[int], *, timeout_s: float) -> None:
        self._attack_labels = tuple(attack_labels)
        self._timeout_s = timeout_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="judge")
        model, vocabulary = Path(folder) / "model.onnx", Path(folder) / "tokenizer.json"
        for path in (model, vocabulary):
            if not path.is_file():
                raise _unusable(folder, f"there is no {path.name}")
        try:
            import numpy
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise _unusable(folder, str(error)) from None
        try:
            self._tokenizer: Any = Tokenizer.from_file(str(vocabulary))
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._session: Any = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - both libraries raise classes of their own
            raise _unusable(folder, str(error)[:300]) from None
        self._numpy: Any = numpy
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(TOKENS_MAX, stride=OVERLAP)
        self._inputs = {one.name for one in self._session.get_inputs()}

    async def score(self, _: Identity, text: str, __: Place) -> float:
        """Return the probability of an attack; raises TimeoutError where it takes too long."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout_s):
            return await loop.run_in_executor(self._thread, self.score_now, text)

    def score_now(self, text: str) -> float:
        """Return the probability of an attack, computed in this thread."""
        first = self._tokenizer.encode(text.encode("utf-8", "replace").decode())
        return max((self._window(one.ids) for one in (first, *first.overflowing) if one.ids), default=0.0)

    def _window(self, ids: Sequence[int]) -> float:
        tokens = self._numpy.array([ids], dtype=self._numpy.int64)
        given = {
            "input_ids": tokens,
            "attention_mask": self._numpy.ones_like(tokens),
            "token_type_ids": self._numpy.zeros_like(tokens),
        }
        outputs = self._session.run(None, {name: value for name, value in given.items() if name in self._inputs})
        shares = softmax([float(one) for one in outputs[0][0]])
        return sum(shares[label] for label in self._attack_labels)


def softmax(logits: Sequence[float]) -> list[float]:
    """Return the probabilities that logits stand for."""
    top = max(logits)
    powers = [math.exp(one - top) for one in logits]
    return [one / sum(powers) for one in powers]


def _unusable(folder: str, why: str) -> AirsideError:
    return AirsideError(
        Code.MISCONFIGURED,
        f"the judge in {folder} cannot be used: {why}",
        advice="Install the extra `local`, and put model.onnx and tokenizer.json of a sequence classifier there.",
    )
