"""How agents of several frameworks are run."""
