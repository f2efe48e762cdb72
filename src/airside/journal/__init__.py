"""The append-only journal, its databases and the sealing of content."""
