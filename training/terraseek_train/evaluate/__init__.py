"""Evaluation protocols: pure functions on arrays, the same on files, and their commands."""
