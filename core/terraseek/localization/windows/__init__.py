"""Windows of a scene: lattice, reading, embedding, cache."""
