"""Truth drawn on the map or imported, and what the heat map is worth against it."""
