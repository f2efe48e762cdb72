"""Several calls as one: callers that allow it are asked together (`group`)."""
