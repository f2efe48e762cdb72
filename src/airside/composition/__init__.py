"""How the parts of the plane are put together: `plane.py` is the root, these are its rooms."""
