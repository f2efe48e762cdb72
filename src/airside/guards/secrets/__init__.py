"""Credentials in a text: keys that name their provider, values whose names tell, private keys, URLs."""
