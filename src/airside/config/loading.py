"""From a file and the environment to Settings: where the file is found, which paths mean what, and friendly refusals.

Relative paths are taken from the folder of the configuration file (without a file: the working directory), so that an
installation does not depend on where a command was typed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsConfigDict, SettingsError

from airside.config import consistency
from airside.config.providers import with_built_in
from airside.config.settings import Settings
from airside.config.tools import ToolSettings
from airside.core.errors import AirsideError, Code

FILE_NAME = "airside.yaml"
FILE_VARIABLE = "AIRSIDE_CONFIG"
FILE_BYTES_MAX = 1_048_576


def find_file(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the configuration file: as given, else by AIRSIDE_CONFIG, else ./airside.yaml if it is there."""
    if given is not None:
        return given
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    return Path(FILE_NAME) if Path(FILE_NAME).is_file() else None


def load(file: Path | None, environ: Mapping[str, str], **overrides: Any) -> Settings:
    """Return the settings of one installation, complete with built-in providers and absolute paths.

    Raises AirsideError `misconfigured`, which names the file, the key and what is allowed there, never the value.
    """
    name = str(file) if file else "the environment"
    if file is not None:
        _check_text(file)
    try:
        settings = _merged(file, overrides)
    except ValidationError as error:
        raise AirsideError(Code.MISCONFIGURED, f"{name}: {explain(error.errors(include_input=False))}") from None
    except SettingsError as error:
        raise AirsideError(Code.MISCONFIGURED, f"{name}: {error}") from None
    folder = file.parent if file else Path()
    complete = with_built_in(_anchored(settings, folder.absolute()), environ)
    consistency.check(complete, name)
    return complete


def explain(errors: list[ErrorDetails], places_max: int = 5) -> str:
    """Return validation errors as one line: `budgets.run.usd: input should be greater than or equal to 0; …`."""
    lines = []
    for error in errors[:places_max]:
        where = ".".join(str(part) for part in error["loc"]) or "(top level)"
        what = "no setting of this name exists" if error["type"] == "extra_forbidden" else error["msg"]
        lines.append(f"{where}: {what[:1].lower()}{what[1:]}")
    if len(errors) > places_max:
        lines.append(f"and {len(errors) - places_max} more")
    return "; ".join(lines)


def _merged(file: Path | None, overrides: Mapping[str, Any]) -> Settings:
    """Return what file, environment and overrides say together. The file reaches its source by way of a class."""

    class FromFile(Settings):
        model_config = SettingsConfigDict(**{**Settings.model_config, "yaml_file": file})

    return FromFile(**overrides)


def _check_text(file: Path) -> None:
    """Refuse what the settings source would report badly: a missing file, a list, broken or ambiguous YAML."""
    try:
        text = file.read_bytes()
    except OSError as error:
        advice = "Give its path with --config, or copy airside.example.yaml."
        raise AirsideError(Code.MISCONFIGURED, f"{file}: {error.strerror}", advice=advice) from None
    if len(text) > FILE_BYTES_MAX:
        raise AirsideError(Code.MISCONFIGURED, f"{file}: larger than {FILE_BYTES_MAX} bytes")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise AirsideError(Code.MISCONFIGURED, f"{file}{where}: not acceptable YAML: {problem}") from None
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise AirsideError(Code.MISCONFIGURED, f"{file}: must hold settings by name")
    _refuse_duplicates(file, root)


def _refuse_duplicates(file: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise AirsideError(Code.MISCONFIGURED, f"{file}, line {line}: `{key.value}` stands twice")
                seen.add(key.value)
            _refuse_duplicates(file, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_duplicates(file, value)


_PROVIDER_FILES = ("api_key_file", "token_file", "credentials_file", "script", "model_file")


def _anchored(settings: Settings, folder: Path) -> Settings:
    """Return the settings with every relative path made absolute."""

    def at(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    return settings.model_copy(
        update={
            "data_dir": folder / settings.data_dir.expanduser(),
            "master_key_file": at(settings.master_key_file),
            "providers": {
                name: provider.model_copy(update={file: at(getattr(provider, file)) for file in _PROVIDER_FILES})
                for name, provider in settings.providers.items()
            },
            "agents": {
                name: agent.model_copy(
                    update={
                        "path": [folder / path.expanduser() for path in agent.path],
                        "policy": at(agent.policy),
                        "plan": at(agent.plan),
                    }
                )
                for name, agent in settings.agents.items()
            },
            "tools": _tools_anchored(settings.tools, folder),
            "policy": settings.policy.model_copy(
                update={
                    "file": at(settings.policy.file),
                    "tenants": {name: at(file) for name, file in settings.policy.tenants.items()},
                }
            ),
            "secrets": settings.secrets.model_copy(
                update={
                    "stores": {
                        name: store.model_copy(update={which: at(path) for which, path in store.paths.items()})
                        for name, store in settings.secrets.stores.items()
                    }
                }
            ),
        }
    )


def _tools_anchored(tools: ToolSettings, folder: Path) -> ToolSettings:
    return tools.model_copy(
        update={
            "path": [folder / path.expanduser() for path in tools.path],
            "manifests": [folder / path.expanduser() for path in tools.manifests],
            "mcp": {
                name: server.model_copy(update={"folder": folder / server.folder.expanduser()})
                if server.folder
                else server
                for name, server in tools.mcp.items()
            },
            "openapi": {
                name: api.model_copy(update={"document": folder / api.document.expanduser()})
                for name, api in tools.openapi.items()
            },
        }
    )
