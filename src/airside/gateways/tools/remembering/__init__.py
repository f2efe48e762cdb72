"""Results of reading tools that may be given again."""
