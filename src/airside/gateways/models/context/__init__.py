"""The context window: warn before it is full, and keep a conversation within it without breaking it."""
