"""One text in all the forms in which something may hide in it, each mapped back to the text as it came."""
