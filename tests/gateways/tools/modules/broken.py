"""A tool module that cannot be imported."""

VALUE = 1
raise RuntimeError("the shop's database is not configured")
