"""AgentDojo as PyPI has it, in a folder of its own: suites, environments and tasks, without any of its model clients.

It is installed by the benchmark itself below AIRSIDE_BENCH_PEERS (default: the user's cache), without the dozen SDKs of
model providers that it names as its needs: nothing here asks a model.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.installed import installed

VERSION = "v1.2.2"
LOCK = Path(__file__).with_name("requirements.containment.lock")
_PIPELINE = "agentdojo.agent_pipeline"


def install() -> Path:
    """Install what the lock names, if it is not there yet, and return the folder."""
    return installed("agentdojo", LOCK)


def suites() -> dict[str, Any]:
    """Return AgentDojo's suites by name."""
    folder = str(install())
    if folder not in sys.path:
        sys.path.append(folder)
    package = importlib.import_module("agentdojo")
    assert package.__file__ is not None
    # The package's own __init__ imports every provider's SDK; its parts that matter here need none of them.
    without_models = ModuleType(_PIPELINE)
    without_models.__path__ = [str(Path(package.__file__).parent / "agent_pipeline")]
    google = ModuleType(f"{_PIPELINE}.llms.google_llm")
    google.__dict__["EMPTY_FUNCTION_NAME"] = "<empty-function-name>"
    models = ModuleType(f"{_PIPELINE}.llms")
    models.__path__ = []
    for module in (without_models, google, models):
        sys.modules.setdefault(module.__name__, module)
    found: dict[str, Any] = importlib.import_module("agentdojo.task_suite").get_suites(VERSION)
    return found
