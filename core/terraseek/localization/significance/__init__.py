"""Significance of a heat map: is its best score higher than chance explains? See `assessment`."""
