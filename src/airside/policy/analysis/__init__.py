"""What can be said of a policy beforehand: proofs, differences, cases, the worst case. Never on the hot path."""
