"""Rules that decide on calls."""
