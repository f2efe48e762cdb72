"""Where the values in a call's arguments come from: a ledger of what a run has seen, and the search in it. Pure."""
