"""MCP servers as sources of tools: airside is their client."""
