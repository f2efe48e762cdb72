"""Placeholders: names that stand for values of a run, so that an agent works with the name and never the value."""
