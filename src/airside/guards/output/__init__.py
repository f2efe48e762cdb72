"""What only answers of models are looked at for: links, refusals, calls of tools, structure, rules over the output."""
