"""Texts with what guards must say of them: written by people, or kept from findings that a person called wrong."""
