"""The Gemini format (Google's Gemini API, also on Vertex)."""
