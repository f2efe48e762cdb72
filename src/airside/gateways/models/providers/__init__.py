"""The places that answer model calls: providers reached by HTTP, and the scripted model."""
