"""Catalogues: items imported from many kinds of sources, with filters and lookup."""

from typing import TYPE_CHECKING

from terraseek.lazy import lazy_names

if TYPE_CHECKING:
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

_MODULES = {
    "Area": "terraseek.catalogue.filters.areas",
    "Broken": "terraseek.catalogue.records",
    "Catalogue": "terraseek.catalogue.catalogue",
    "Circle": "terraseek.catalogue.filters.areas",
    "Filter": "terraseek.catalogue.filters.filter",
    "ImageRef": "terraseek.catalogue.records",
    "ImportReport": "terraseek.catalogue.importing.report",
    "LocationPrecision": "terraseek.catalogue.records",
    "PRECISIONS": "terraseek.catalogue.records",
    "Points": "terraseek.catalogue.catalogue",
    "catalogue_stats": "terraseek.catalogue.stats",
    "import_source": "terraseek.catalogue.importing.importer",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
