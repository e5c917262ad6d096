"""Colours of heat maps: palette, scales, and images and styles that others draw."""
