"""Settings of the way out: which tool processes may reach which hosts, through a proxy that blocks everything else."""

from typing import Annotated

from pydantic import Field

from airside.config.fields import Seconds, Section

HostPattern = Annotated[str, Field(pattern=r"^(\*\.)?[A-Za-z0-9._\[\]:-]{1,253}:[0-9]{1,5}$")]


class EgressGrantSettings(Section):
    """What one tool process may reach."""

    hosts: list[HostPattern] = Field(
        default=[], max_length=1_000, description="HOST:PORT; *.example.com:443 is every name below example.com"
    )
    private: bool = Field(default=False, description="also loopback and private networks; link-local never")
    connections_max: int = Field(default=32, ge=1, le=10_000, description="connections at the same time")
    bytes_max: int = Field(
        default=1_073_741_824, ge=1, le=1_099_511_627_776, description="of one connection, both ways together"
    )


class EgressSettings(Section):
    """The proxy; it is started if anybody has a grant."""

    grants: dict[str, EgressGrantSettings] = Field(
        default={}, description="by process: `host` is the tool host with your @tool functions, `mcp:NAME` a server"
    )
    connect_timeout_s: Seconds = 10.0
    idle_s: Seconds = Field(default=120.0, description="a connection without a byte for so long is closed")
