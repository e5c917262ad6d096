"""Declaration of a filter: conditions on place, time, source, label and text of an item.

A new filter is one more field here (with its validation in `__post_init__`) and one more entry of
`CONDITIONS` in `terraseek.catalogue.filters.apply`, which translates the field to SQL.
"""

from dataclasses import dataclass, fields
from typing import Any

from terraseek.catalogue.filters.areas import Area, Circle
from terraseek.catalogue.filters.expression import referenced_columns
from terraseek.catalogue.metadata.dates import iso_date, last_day
from terraseek.catalogue.records import PRECISIONS
from terraseek.errors import FilterError
from terraseek.geo import BBox

__all__ = ["Filter"]


@dataclass(frozen=True)
class Filter:
    """Conditions that an item must all meet; a field left at its default allows every item.

    An item with an unknown value (no coordinates, no date, no GSD) does not meet a condition on
    that value. Raises `FilterError` for a value that is invalid or that no item can meet.
    """

    bbox: BBox | None = None
    """Box that must contain `lon`, `lat`, edges included; may cross the antimeridian."""
    sources: tuple[str, ...] = ()
    """Allowed source names."""
    labels: tuple[str, ...] = ()
    """Allowed labels, compared without regard to case."""
    precision: tuple[str, ...] = ()
    """Allowed location precisions, see `records.PRECISIONS`."""
    date_from: str | None = None
    """First day, ISO 8601 (`2017-08-25`, `2017-08` or `2017`)."""
    date_to: str | None = None
    """Last day, included; `2017` means until the end of that year."""
    gsd_min: float | None = None
    """Smallest ground sample distance, metres per pixel."""
    gsd_max: float | None = None
    """Largest ground sample distance, metres per pixel."""
    text: str | None = None
    """Substring of the caption, compared without regard to case."""
    item_ids: tuple[str, ...] | None = None
    """Allowed item ids; an empty tuple allows no item."""
    polygon: Area | None = None
    """Area that must contain `lon`, `lat`, edges included."""
    circle: Circle | None = None
    """Circle that must contain `lon`, `lat`."""
    sql: str | None = None
    """SQL condition on the columns, such as `gsd_m < 1 AND country = 'France'`; unknown values are
    NULL."""

    def __post_init__(self) -> None:
        self._check_names()
        self._check_dates()
        low, high = self.gsd_min, self.gsd_max
        if low is not None and high is not None and low > high:
            raise FilterError(f"smallest GSD {low:g} m is above the largest, {high:g} m")
        if self.sql is not None:
            referenced_columns(self.sql)

    def _check_names(self) -> None:
        for name in ("sources", "labels", "precision"):
            if isinstance(getattr(self, name), str):
                raise FilterError(f"{name} must be a tuple of names, not a single string")
        unknown = set(self.precision) - set(PRECISIONS)
        if unknown:
            raise FilterError(
                f"unknown location precision {', '.join(sorted(unknown))}; "
                f"known are {', '.join(PRECISIONS)}"
            )

    def _check_dates(self) -> None:
        for name in ("date_from", "date_to"):
            value = getattr(self, name)
            if value and not iso_date(value):
                raise FilterError(f"{name.replace('_', ' ')} {value!r} is no date like 2017-08-25")
        if self.date_from and self.date_to and self.date_from[:10] > last_day(self.date_to):
            raise FilterError(f"date from {self.date_from} is after date to {self.date_to}")

    @property
    def active(self) -> dict[str, Any]:
        """Fields that restrict the items, with their values."""
        values = {field: getattr(self, field.name) for field in fields(self)}
        return {f.name: value for f, value in values.items() if value not in (f.default, "")}

    @property
    def is_empty(self) -> bool:
        """Whether the filter allows every item."""
        return not self.active
