"""Painters: one function for each category of chips, and the objects that several of them draw."""
