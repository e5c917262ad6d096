"""Captions of images: captioners, ranking, sentences from labels and from metadata."""
