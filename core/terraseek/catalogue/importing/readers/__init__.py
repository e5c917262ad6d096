"""Readers: one module per input format, listed in `registry`."""
