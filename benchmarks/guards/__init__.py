"""How well the guards find what they should, how rarely they are wrong, and what they cost."""
