"""airside: the production runtime for AI agents."""
