"""Output of heat maps: COG, regions as GeoJSON, overlay images, numbers as JSON."""
