"""The process of the local model: llama.cpp with a GGUF file, answering on loopback to whoever knows the key.

Started by `local.py`, which writes one JSON line to its stdin and reads the address from its stdout. It ends when its
stdin does, so it never outlives who started it. llama.cpp applies the model's own chat template.
"""

import os
import sys
from typing import Any

import msgspec
from msgspec import Struct

SLOTS = 2
"""Answers that are generated at the same time; they share the window."""


class Order(Struct, frozen=True):
    """What to serve: the file, the name to answer under, the key to ask for, the window, threads (0: one per core)."""

    model_file: str
    label: str
    key: str
    context_tokens: int
    threads: int


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)  # llama.cpp writes there too
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    server = _served(order)
    answers.write(f"{server.listening_address}\n")
    answers.flush()
    sys.stdin.buffer.read()
    os._exit(0)  # generation under way is not worth waiting for


def _served(order: Order) -> Any:
    import xllamacpp  # the extra `local`

    params = xllamacpp.CommonParams()
    params.model.path = order.model_file
    params.model_alias = {order.label}
    params.api_keys = [order.key]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = order.context_tokens
    params.n_parallel = SLOTS
    params.kv_unified = True
    params.cpuparams.n_threads = order.threads or os.cpu_count() or 1
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.verbosity = 0
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
