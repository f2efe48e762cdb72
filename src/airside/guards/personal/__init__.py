"""Personal data: found by its shape, its checksum and the words around it, and names by a language model if wanted."""
