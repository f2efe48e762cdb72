"""airside: the production runtime for AI agents."""

from airside.core.errors import CredentialRefused, TransientError
from airside.gateways.tools.declare import ToolContext, tool

__all__ = ["CredentialRefused", "ToolContext", "TransientError", "tool"]
