"""Bands of a raster: which make the RGB image, and how their values are stretched."""
