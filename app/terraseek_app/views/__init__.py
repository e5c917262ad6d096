"""Pieces the pages are made of: state, forms, cards, and the gallery."""
