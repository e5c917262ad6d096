"""Vector databases that hold a copy of a store's vectors, for catalogues beyond one machine."""
