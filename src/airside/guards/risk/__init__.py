"""Risk: what a run has come across that hints at an attack, kept across processes for rules to look at."""
