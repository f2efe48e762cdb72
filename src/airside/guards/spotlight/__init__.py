"""Spotlighting: models are shown what is data, in marks that data cannot forge."""
