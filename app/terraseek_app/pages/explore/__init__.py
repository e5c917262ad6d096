"""Explore page: search the catalogue with a sentence or an image."""
