"""Settings: every knob of airside, typed and limited."""
