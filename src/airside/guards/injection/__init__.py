"""Texts that try to give orders that are not theirs to give: injections and jailbreaks."""
