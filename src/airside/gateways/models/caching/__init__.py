"""Answers that need no model call: exact and semantic caches, calls shared in flight, the provider's prompt cache."""
