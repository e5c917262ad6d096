"""Indexes over stored vectors: they select candidates, which are then scored exactly."""
