"""Catalogues: many kinds of sources read into one table of items, filtered and looked up."""

from terraseek.catalogue.areas import Area, Circle
from terraseek.catalogue.catalogue import Catalogue, Points
from terraseek.catalogue.filters import Filter
from terraseek.catalogue.importing import import_source
from terraseek.catalogue.records import PRECISIONS, Broken, ImageRef, LocationPrecision
from terraseek.catalogue.report import ImportReport
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
