"""Places: the gazetteer, search for a place by name, and coordinates as people type them."""
