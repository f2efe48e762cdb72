"""What a run has committed itself to: the effects it may have, how often, and with which arguments. Pure."""
