"""Where a prompt is marked: one file for each wire format that holds a conversation."""
