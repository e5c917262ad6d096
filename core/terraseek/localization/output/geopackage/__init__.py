"""Regions as GeoPackage with a style for QGIS."""
