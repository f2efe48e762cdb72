"""The one pipeline that every call passes: a file per step."""
