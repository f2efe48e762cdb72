"""What an agent's process sees and may consume: its environment, folder, limits and descriptors."""

import os
import resource
import signal
from collections.abc import Mapping
from typing import Final

from airside.linux import calls as linux
from airside.runs.isolation.wire import PLACEHOLDER_TOKEN, Orders

PASSED_ALWAYS: Final = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR")
_SILENCED: Final = {
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
    "DO_NOT_TRACK": "1",
    "ANONYMIZED_TELEMETRY": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "AGNO_TELEMETRY": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LOGFIRE_SEND_TO_LOGFIRE": "false",
}


def scrubbed(environment: Mapping[str, str], passed: tuple[str, ...]) -> dict[str, str]:
    """Return what of a worker's environment an agent may see, plus what makes Python repeat itself."""
    kept = {name: environment[name] for name in (*PASSED_ALWAYS, *passed) if name in environment}
    fixed = {"PYTHONHASHSEED": "0", "TZ": "UTC", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return kept | fixed | _SILENCED


def gateway_environment(gateway_url: str, token: str = PLACEHOLDER_TOKEN) -> dict[str, str]:
    """Return the variables by which unmodified SDKs find the gateways."""
    return {
        "OPENAI_BASE_URL": f"{gateway_url}/v1",
        "OPENAI_API_KEY": token,
        "ANTHROPIC_BASE_URL": gateway_url,
        "ANTHROPIC_API_KEY": token,
        "GOOGLE_GEMINI_BASE_URL": gateway_url,
        "GOOGLE_API_KEY": token,
        "AIRSIDE_GATEWAY_URL": gateway_url,
        "AIRSIDE_MCP_URL": f"{gateway_url}/mcp",
        "AIRSIDE_RUN_TOKEN": token,
    }


def enter(orders: Orders, folder: str, output: int) -> None:
    """Confine this process, which is about to become the agent's.

    Only airside's own descriptors are closed, by their owners: those that the agent's modules opened while they were
    imported stay valid, or their numbers would soon mean something else.
    """
    linux.show_memory()
    os.umask(0o077)
    os.chdir(folder)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.environ.update(gateway_environment(orders.gateway_url, orders.token))
    os.environ.update({"AIRSIDE_RUN_ID": orders.run_id, "AIRSIDE_ATTEMPT": str(orders.attempt)})
    os.environ.update({"AIRSIDE_MODEL": orders.model, "HOME": folder, "TMPDIR": folder, "PWD": folder})
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python itself starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, orders.memory_bytes_max)
    _limit(resource.RLIMIT_NOFILE, orders.open_files_max)
    if orders.spaces:  # elsewhere the kernel counts all processes of the user; there the guard counts
        _limit(resource.RLIMIT_NPROC, orders.processes_max)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))
