"""Runs: state of record, engines, workers, isolation, approvals."""
