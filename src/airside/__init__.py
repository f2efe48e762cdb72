"""airside: the production runtime for AI agents."""

from airside.core.errors import CredentialRefused, TransientError
from airside.gateways.tools.declare import ToolContext, tool
from airside.gateways.tools.together import together

__all__ = ["CredentialRefused", "ToolContext", "TransientError", "together", "tool"]
