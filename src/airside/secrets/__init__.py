"""Secrets: handles for them, the stores they come from, leases, and finding their values where they must not be."""
