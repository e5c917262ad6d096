"""Which items may be found: conditions on place, time, source, label and text, all at once."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from jaxtyping import Bool

from terraseek.catalogue.filters.apply import ItemsTable
from terraseek.catalogue.filters.areas import Area, Circle
from terraseek.catalogue.filters.expression import syntax_of
from terraseek.catalogue.metadata.dates import iso_date
from terraseek.catalogue.records import PRECISIONS
from terraseek.errors import FilterError
from terraseek.geo import BBox

__all__ = ["Filter"]


@dataclass(frozen=True)
class Filter:
    """Conditions an item must all meet; what is left out allows everything.

    An item that lacks what a condition asks about (no place, no date, no GSD) does not meet it.
    Raises `FilterError` for conditions nothing can meet or that make no sense.
    """

    bbox: BBox | None = None
    """Where `lon`, `lat` must lie, edges included; may cross the antimeridian."""
    sources: tuple[str, ...] = ()
    """Names of sources, any of them."""
    labels: tuple[str, ...] = ()
    """Labels, any of them; case does not matter."""
    precision: tuple[str, ...] = ()
    """Location precisions, any of them."""
    date_from: str | None = None
    """First day, ISO 8601 (`2017-08-25`, `2017-08` or `2017`)."""
    date_to: str | None = None
    """Last day, included; `2017` means to the end of that year."""
    gsd_min: float | None = None
    """Smallest ground sample distance in metres a pixel."""
    gsd_max: float | None = None
    """Largest ground sample distance in metres a pixel."""
    text: str | None = None
    """Letters the caption must contain; case does not matter."""
    item_ids: tuple[str, ...] | None = None
    """Only these items; an empty tuple allows none."""
    polygon: Area | None = None
    """Where `lon`, `lat` must lie, edges included."""
    circle: Circle | None = None
    """Around what `lon`, `lat` must lie."""
    sql: str | None = None
    """A condition on the columns in SQL, such as `gsd_m < 1 AND country = 'France'`; unknown values
    are NULL."""

    def __post_init__(self) -> None:
        for name in ("sources", "labels", "precision"):
            if isinstance(getattr(self, name), str):
                raise FilterError(f"{name} must be a tuple of names, not the text alone")
        unknown = set(self.precision) - set(PRECISIONS)
        if unknown:
            raise FilterError(
                f"unknown location precision {', '.join(sorted(unknown))}; "
                f"known are {', '.join(PRECISIONS)}"
            )
        for name in ("date_from", "date_to"):
            value = getattr(self, name)
            if value and not iso_date(value):
                raise FilterError(f"{name.replace('_', ' ')} {value!r} is no date like 2017-08-25")
        if self.date_from and self.date_to and self.date_from[:10] > self.last_day:
            raise FilterError(f"date from {self.date_from} is after date to {self.date_to}")
        low, high = self.gsd_min, self.gsd_max
        if low is not None and high is not None and low > high:
            raise FilterError(f"smallest GSD {low:g} m is above the largest, {high:g} m")
        if self.sql is not None:
            syntax_of(self.sql)

    @property
    def is_empty(self) -> bool:
        """Whether every item passes."""
        blank = (None, (), "")
        return all(
            getattr(self, f.name) in blank for f in fields(self) if f.name != "item_ids"
        ) and (self.item_ids is None)

    @property
    def last_day(self) -> str:
        """`date_to` as text that sorts after every moment of the last day allowed."""
        text = iso_date(self.date_to)[:10]
        return text if len(text) == 10 else text + "~"

    def mask(self, items: pd.DataFrame) -> Bool[np.ndarray, " n"]:
        """Which rows of an items table meet every condition.

        Raises:
            FilterError: the condition in SQL names no column, or cannot be evaluated.
        """
        return ItemsTable.of_frame(items).mask(self)
