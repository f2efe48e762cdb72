"""The vocabulary and the ports of airside. No I/O happens here."""
