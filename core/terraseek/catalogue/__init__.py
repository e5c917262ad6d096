"""Catalogues: items imported from many kinds of sources, with filters and lookup."""

from terraseek.catalogue.catalogue import Catalogue, Points
from terraseek.catalogue.filters.areas import Area, Circle
from terraseek.catalogue.filters.filter import Filter
from terraseek.catalogue.importing.importer import import_source
from terraseek.catalogue.importing.report import ImportReport
from terraseek.catalogue.records import PRECISIONS, Broken, ImageRef, LocationPrecision
from terraseek.catalogue.stats import catalogue_stats

__all__ = [
    "PRECISIONS",
    "Area",
    "Broken",
    "Catalogue",
    "Circle",
    "Filter",
    "ImageRef",
    "ImportReport",
    "LocationPrecision",
    "Points",
    "catalogue_stats",
    "import_source",
]
