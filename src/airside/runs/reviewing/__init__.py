"""The review queue's parts: what to look at first, who may decide, what they are shown, and what is learned from it."""
