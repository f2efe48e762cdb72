"""`airside drill`: the failures that agents are known for, made to happen against a copy of this configuration."""
