"""The demo: a shop's support agent under airside, through success, approval, denial, crash and budget stop."""
