"""Guards on the way of tool calls: arguments before anything is decided, results before anything is recorded."""
