"""The rows of the matrix: which framework speaks which format, and which interpreters have it."""

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

CLIENTS = Path(__file__).parent / "clients"
VENVS = os.environ.get("AIRSIDE_COMPAT_VENVS", "")
"""Folder of the environments that `make test-compat` makes, named FRAMEWORK-oldest and FRAMEWORK-latest."""
ONLY = os.environ.get("AIRSIDE_COMPAT", "").split()
"""The frameworks to test; all, if it names none."""


HERE = "here"
BOTH_MODES_HERE = ("tools", "structured")
ONE_MODE_HERE = (
    ("cancelled", True),
    ("denied", False),
    ("retried", False),
    ("runner", True),
    ("state", True),
    ("translated", True),
)


@dataclass(frozen=True)
class Framework:
    """A framework: its client script, the module that tells whether it is installed, and what it is tested for."""

    name: str
    script: str
    module: str
    formats: tuple[str, ...]
    aspects: tuple[str, ...]

    @property
    def client(self) -> Path:
        """The client script."""
        return CLIENTS / self.script


@dataclass(frozen=True)
class Row:
    """One framework, in one version, over one format, in one mode."""

    framework: Framework
    version: str
    format: str
    stream: bool
    interpreter: str

    def tested_for(self, aspect: str) -> bool:
        """Whether this aspect is tested: in the environments all that is promised, here what tells most soon."""
        if aspect not in self.framework.aspects or (aspect == "state" and self.format != "responses"):
            return False
        return self.version != HERE or aspect in BOTH_MODES_HERE or (aspect, self.stream) in ONE_MODE_HERE

    def __str__(self) -> str:
        return f"{self.framework.name}-{self.version}-{self.format}-{'stream' if self.stream else 'whole'}"


PROMISED = ("tools", "structured", "denied", "retried", "cancelled", "translated")
GATEWAY_ONLY = ("tools", "structured", "denied")
FRAMEWORKS = (
    Framework("openai", "openai_sdk.py", "openai", ("chat", "responses"), (*PROMISED, "state")),
    Framework("anthropic", "anthropic_sdk.py", "anthropic", ("anthropic",), (*PROMISED, "runner")),
    Framework(
        "pydantic-ai", "pydantic_ai_client.py", "pydantic_ai", ("chat", "responses", "anthropic", "gemini"), PROMISED
    ),
    Framework("openai-agents", "openai_agents_client.py", "agents", ("chat", "responses"), PROMISED),
    Framework("langgraph", "langgraph_client.py", "langgraph", ("chat", "responses", "anthropic"), PROMISED),
    Framework("google-genai", "google_genai_client.py", "google.genai", ("gemini",), PROMISED),
    Framework("agno", "agno_client.py", "agno", ("chat", "responses", "anthropic", "gemini"), GATEWAY_ONLY),
    Framework("agent-framework", "agent_framework_client.py", "agent_framework", ("chat", "responses"), GATEWAY_ONLY),
    Framework("crewai", "crewai_client.py", "crewai", ("chat",), GATEWAY_ONLY),
    Framework("google-adk", "google_adk_client.py", "google.adk", ("gemini",), GATEWAY_ONLY),
)
PACKAGE_OF_FORMAT = {"chat": "openai", "responses": "openai", "anthropic": "anthropic", "gemini": "google.genai"}


def rows() -> list[Row]:
    """Return every row that can be run: with this very interpreter, or with those of AIRSIDE_COMPAT_VENVS."""
    found = []
    for framework in FRAMEWORKS:
        if ONLY and framework.name not in ONLY:
            continue
        for version, interpreter in _interpreters(framework):
            for format_ in framework.formats:
                if version != HERE or _installed(PACKAGE_OF_FORMAT[format_]):
                    found += [Row(framework, version, format_, stream, interpreter) for stream in (False, True)]
    return found


def _interpreters(framework: Framework) -> list[tuple[str, str]]:
    if not VENVS:
        return [(HERE, sys.executable)] if _installed(framework.module) else []
    named = [(version, Path(VENVS) / f"{framework.name}-{version}") for version in ("oldest", "latest")]
    return [(version, str(place / "bin" / "python")) for version, place in named if (place / ".complete").exists()]


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
