"""Search results as files: CSV, GeoJSON, GeoParquet, STAC."""
