"""Texts as vectors: by a small model inside the process, or by a provider."""
