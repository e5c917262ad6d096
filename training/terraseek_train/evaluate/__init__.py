"""Evaluation protocols: pure functions on arrays, and the same on files."""
