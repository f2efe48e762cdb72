"""The two ways out of an agent: models and tools."""
