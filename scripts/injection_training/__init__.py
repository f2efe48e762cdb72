"""How the shipped injection classifier was trained: `python -m scripts.injection_training`; docs/models/."""
