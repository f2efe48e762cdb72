"""airside: the production runtime for AI agents."""

from airside.core.errors import TransientError
from airside.gateways.tools.declare import ToolContext, tool

__all__ = ["ToolContext", "TransientError", "tool"]
