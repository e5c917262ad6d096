"""Metadata of items: captions, labels, places and dates turned into columns."""
