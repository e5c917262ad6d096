"""Which items may be found: conditions on place, time, source, label and text, all at once."""

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from jaxtyping import Bool

from terraseek.catalogue.dates import iso_date
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
        if self.date_from and self.date_to and self.date_from[:10] > self._last_day():
            raise FilterError(f"date from {self.date_from} is after date to {self.date_to}")
        low, high = self.gsd_min, self.gsd_max
        if low is not None and high is not None and low > high:
            raise FilterError(f"smallest GSD {low:g} m is above the largest, {high:g} m")

    @property
    def is_empty(self) -> bool:
        """Whether every item passes."""
        blank = (None, (), "")
        return all(
            getattr(self, f.name) in blank for f in fields(self) if f.name != "item_ids"
        ) and (self.item_ids is None)

    def mask(self, items: pd.DataFrame) -> Bool[np.ndarray, " n"]:
        """Which rows of an items table meet every condition."""
        passed = np.ones(len(items), bool)
        if self.bbox is not None:
            passed &= self.bbox.contains(items["lon"].to_numpy(), items["lat"].to_numpy())
        if self.sources:
            passed &= items["source"].isin(self.sources).to_numpy(bool)
        if self.labels:
            wanted = {label.casefold() for label in self.labels}
            passed &= items["label"].str.casefold().isin(wanted).to_numpy(bool)
        if self.precision:
            passed &= items["location_precision"].isin(self.precision).to_numpy(bool)
        if self.item_ids is not None:
            passed &= items["item_id"].isin(self.item_ids).to_numpy(bool)
        if self.text:
            held = items["caption"].str.contains(self.text, case=False, regex=False)
            passed &= held.to_numpy(bool)
        passed &= self._in_time(items)
        passed &= self._in_gsd(items)
        return passed

    def _in_time(self, items: pd.DataFrame) -> Bool[np.ndarray, " n"]:
        """Items known only to a month or year pass when that period meets the asked one."""
        passed = np.ones(len(items), bool)
        if not (self.date_from or self.date_to):
            return passed
        moments = items["captured_at"]
        passed &= (moments != "").to_numpy(bool)
        if self.date_from:
            # "~" sorts after every digit and dash, so 2017 reaches to the end of 2017
            passed &= ((moments + "~") >= iso_date(self.date_from)).to_numpy(bool)
        if self.date_to:
            passed &= (moments.str[:10] <= self._last_day()).to_numpy(bool)
        return passed

    def _last_day(self) -> str:
        text = iso_date(self.date_to)[:10]
        return text if len(text) == 10 else text + "~"

    def _in_gsd(self, items: pd.DataFrame) -> Bool[np.ndarray, " n"]:
        passed = np.ones(len(items), bool)
        gsd = items["gsd_m"].to_numpy()
        if self.gsd_min is not None:
            passed &= gsd >= self.gsd_min
        if self.gsd_max is not None:
            passed &= gsd <= self.gsd_max
        return passed
