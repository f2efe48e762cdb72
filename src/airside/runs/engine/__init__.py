"""Engines bring admitted runs to workers. The runs table says what is to be done; an engine only says who does it."""
