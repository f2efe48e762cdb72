"""Code that agents write runs here: bounded in everything, with no way out but the tools it is given."""
