"""The Responses format (OpenAI and Azure), always spoken upstream without state kept there."""
