"""Windows of a scene: positions, reading, encoding, cached vectors, and interpolated scores."""
