"""Provider batches: many questions handed in together, answered within a day, at a lower price."""
