"""The Chat Completions format (OpenAI, and most servers of open models)."""
