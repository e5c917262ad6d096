"""Localize page: heat map of a sentence over a scene."""
