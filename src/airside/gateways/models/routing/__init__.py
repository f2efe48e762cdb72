"""Which model answers a call: the cheapest capable one whose predicted quality keeps the stated floor."""
