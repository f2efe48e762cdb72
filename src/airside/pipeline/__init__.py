"""The one pipeline every call passes: one step a file, composed in the order of docs/architecture.md."""
