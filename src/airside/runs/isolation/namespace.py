"""Attempts in Linux namespaces: faults and malice are contained, and the gateway is the only way out."""

import sys
from typing import Final
from urllib.parse import urlsplit

from msgspec import structs

from airside.core.errors import AirsideError, Code
from airside.linux.commands import last_line, run_to_end
from airside.runs.isolation import wire
from airside.runs.isolation.port import AttemptSpec
from airside.runs.isolation.process import ProcessLauncher

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_PROBE_TIMEOUT_S: Final = 15.0


class NamespaceLauncher(ProcessLauncher):
    """Like ProcessLauncher, with every attempt in namespaces of its own."""

    spaces = True

    def orders(self, spec: AttemptSpec) -> wire.Orders:
        """Return what the attempt is told; inside, the gateway is always on the namespace's own loopback."""
        address = urlsplit(spec.gateway_url)
        if address.scheme != "http":
            raise AirsideError(
                Code.MISCONFIGURED,
                "server.gateway_url: namespace isolation reaches the gateways by http:// only",
                advice="Give their address in the private network, or set runs.isolation to process.",
            )
        return structs.replace(
            super().orders(spec),
            gateway_url=f"http://127.0.0.1:{address.port or 80}",
            gateway_socket=spec.gateway_socket if address.hostname in _LOOPBACK else "",
        )


async def unavailable() -> str:
    """Try the whole confinement once, in a process of its own; return why it cannot be had here, or nothing."""
    probe = (sys.executable, "-P", "-m", "airside.runs.isolation.probe")
    status, said = await run_to_end(probe, _PROBE_TIMEOUT_S)
    return "" if status == 0 else last_line(said, f"the probe ended with {status}")
