"""Benchmarks: `make bench-NAME` runs one; each does its own set-up and ends by printing its figures."""
