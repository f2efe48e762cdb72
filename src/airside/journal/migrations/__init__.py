"""Numbered migrations, read by the runner."""
