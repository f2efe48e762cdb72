"""The tool gateway."""
