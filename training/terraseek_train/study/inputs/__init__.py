"""Inputs of a study: the base model and the captioned images."""
