"""Whom judges can ask: a classifier in a folder of this machine, a model of a provider, an address."""
