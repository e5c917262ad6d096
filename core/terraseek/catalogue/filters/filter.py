"""Declaration of a filter: conditions on place, time, source, label and text of an item.

A new filter is one more field here (with its name, help and validation) and one more entry of
`CONDITIONS` in `terraseek.catalogue.filters.apply`, which translates the field to SQL. Options of
the command line, HTTP parameters, page links and the OpenAPI description derive from the field.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from terraseek.catalogue.filters.areas import AREA, CIRCLE, Area, Circle
from terraseek.catalogue.filters.column_condition import COLUMN, ColumnCondition
from terraseek.catalogue.filters.expression import referenced_columns
from terraseek.catalogue.metadata.dates import iso_date, last_day
from terraseek.catalogue.records import PRECISIONS
from terraseek.errors import FilterError
from terraseek.geo import BBox
from terraseek.parameters import NUMBER, Codec, format_degrees, parameter

__all__ = ["BBOX", "DATE", "Filter"]

BBOX = Codec(
    BBox.parse, lambda box: format_degrees(box.as_tuple()), "W,S,E,N in degrees", "W,S,E,N"
)


def _date(text: str) -> str:
    if not iso_date(text):
        raise ValueError(f"{text!r} is no date")
    return text.strip()


DATE = Codec(_date, str, "a date like 2017-08-25", "DATE")


@dataclass(frozen=True, repr=False)
class Filter:
    """Conditions that an item must all meet; a field left at its default allows every item.

    An item with an unknown value (no coordinates, no date, no GSD) does not meet a condition on
    that value. Raises `FilterError` for a value that is invalid or that no item can meet.
    """

    parameter_error: ClassVar[type[FilterError]] = FilterError

    bbox: BBox | None = parameter(
        "bbox",
        "only items inside this box in degrees; W > E crosses the antimeridian",
        BBOX,
        aliases=("box",),
    )
    """Box that must contain `lon`, `lat`, edges included; may cross the antimeridian."""
    sources: tuple[str, ...] = parameter("source", "only items of this source", default=())
    """Allowed source names."""
    labels: tuple[str, ...] = parameter("label", "only items with this label", default=())
    """Allowed labels, compared without regard to case."""
    precision: tuple[str, ...] = parameter(
        "precision",
        f"only items with this location precision ({', '.join(PRECISIONS)})",
        default=(),
    )
    """Allowed location precisions, see `records.PRECISIONS`."""
    date_from: str | None = parameter(
        "date_from", "first day, ISO 8601, like 2017-08-25", DATE, aliases=("from",)
    )
    """First day, ISO 8601 (`2017-08-25`, `2017-08` or `2017`)."""
    date_to: str | None = parameter("date_to", "last day, inclusive", DATE, aliases=("to",))
    """Last day, included; `2017` means until the end of that year."""
    gsd_min: float | None = parameter(
        "gsd_min", "smallest ground sample distance in metres per pixel", NUMBER
    )
    """Smallest ground sample distance, metres per pixel."""
    gsd_max: float | None = parameter(
        "gsd_max", "largest ground sample distance in metres per pixel", NUMBER
    )
    """Largest ground sample distance, metres per pixel."""
    caption: str | None = parameter("caption", "text that the caption contains", aliases=("text",))
    """Substring of the caption, compared without regard to case."""
    item_ids: tuple[str, ...] | None = None
    """Allowed item ids; an empty tuple allows no item."""
    polygon: Area | None = parameter(
        "polygon",
        "only items inside this area: WKT, GeoJSON or corners LON,LAT;LON,LAT;...|LON,LAT;...",
        AREA,
    )
    """Area that must contain `lon`, `lat`, edges included."""
    within: Circle | None = parameter(
        "within", "only items within this distance of a point", CIRCLE
    )
    """Circle that must contain `lon`, `lat`."""
    columns: tuple[ColumnCondition, ...] = parameter(
        "column",
        "only items whose column has this value or range: country=Peru, cloud=0..20",
        COLUMN,
        default=(),
    )
    """Conditions on any columns; those on one column are alternatives."""
    sql: str | None = parameter(
        "sql",
        "SQL condition on columns: gsd_m < 1 AND country = 'Peru'",
        aliases=("where",),
        former_options=("where",),
    )
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
                raise FilterError(
                    f"{name.replace('_', ' ')} {value!r} is not a date like 2017-08-25"
                )
        if self.date_from and self.date_to and self.date_from[:10] > last_day(self.date_to):
            raise FilterError(f"date from {self.date_from} is after date to {self.date_to}")

    @property
    def active(self) -> dict[str, Any]:
        """Fields that restrict the items, with their values."""
        values = {field: getattr(self, field.name) for field in fields(self)}
        return {f.name: value for f, value in values.items() if value not in (f.default, "")}

    def __repr__(self) -> str:
        conditions = ", ".join(f"{name}={value!r}" for name, value in self.active.items())
        return f"Filter({conditions})"

    def __bool__(self) -> bool:
        """Whether the filter restricts anything."""
        return bool(self.active)

    @property
    def is_empty(self) -> bool:
        """Whether the filter allows every item."""
        return not self.active
