"""The Messages format (Anthropic, also on Bedrock and Vertex)."""
