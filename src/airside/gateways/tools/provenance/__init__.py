"""The past of runs as the journal has it, for rules: ledgers, plans, and the witness that tells of both."""
