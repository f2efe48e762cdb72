"""Whose words stand where in a request: one file for each wire format."""
