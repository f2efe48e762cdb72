"""Embeddings, as OpenAI and all that is compatible with it speak them."""
