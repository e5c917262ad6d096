"""Hits of a search, and their export as JSON, GeoJSON and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from terraseek.display import shortened
from terraseek.files import text_cell
from terraseek.significance.model import Level, is_likely

__all__ = ["HIT_COLUMNS", "Hit", "hits_csv", "hits_geojson", "hits_json"]

_KEYS = ("item_id", "score", "lon", "lat", "caption", "image", "significance", "probability")


@dataclass(frozen=True, slots=True, repr=False)
class Hit:
    """An item found by a search."""

    item_id: str
    """Id of the item."""
    score: float
    """Cosine of query and image; with `alpha` the fused score of image and caption (`ScoreFusion`);
    for a query by place, minus the distance in kilometres."""
    lon: float | None
    """Longitude in degrees, EPSG:4326; None if unknown."""
    lat: float | None
    """Latitude in degrees, EPSG:4326; None if unknown."""
    caption: str
    """Caption of its source; may be empty."""
    image: str
    """File reference for display; pixels come from `Catalogue.read_image(item_id)`."""
    rank: int
    """1 for the best."""
    label: str
    """Class label of its source; may be empty."""
    source: str
    """Name of its source."""
    location_precision: str
    """How precisely its place is known, one of `PRECISIONS`."""
    image_score: float | None = None
    """Cosine of query and image."""
    caption_score: float | None = None
    """Cosine of query and caption; None without a caption or if `alpha` is 0."""
    percentile: float | None = None
    """Percentage of unrelated images with a lower score; None if the encoder has no calibration."""
    significance: Level | None = None
    """Whether it is what the sentence describes: `likely`, `possible` or `none`; None for a query
    without a sentence and for an encoder without calibration."""
    probability: float | None = None
    """Probability (0-1) on which `significance` was decided."""
    margin: float | None = None
    """Standard deviations of the image cosine above the catalogue's mean for this query."""
    matched_by: str | None = None
    """`picture` or `caption`: the larger contribution to the score; None if `alpha` is 0."""
    distance_km: float | None = None
    """Great-circle distance to the place of the query."""

    def __repr__(self) -> str:
        place = "" if self.lon is None or self.lat is None else f" ({self.lon:.5g}, {self.lat:.5g})"
        caption = f" {shortened(self.caption)!r}" if self.caption else ""
        return f"<Hit {self.rank}: {self.item_id} {self.score:.4g}{caption}{place}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as a row of an exported table, with the keys `HIT_COLUMNS`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["convincing"] = self.significant
        return {name: values[name] for name in HIT_COLUMNS}

    @property
    def significant(self) -> bool | None:
        """Whether it is likely; None if unknown. The column `convincing` of exported files."""
        return is_likely(self.significance)


_NEW_COLUMNS = ("significance", "probability")
HIT_COLUMNS = (
    *(field.name for field in fields(Hit) if field.name not in _NEW_COLUMNS),
    "convincing",
    *_NEW_COLUMNS,
)
"""Columns of exported tables, in order."""


def hits_json(
    hits: Sequence[Hit], provenance: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Convert hits to JSON values with the keys item_id, score, lon, lat, caption, image,
    significance, probability.

    Args:
        hits: best first.
        provenance: further keys of every hit, see `search.export.provenance`.
    """
    return [{key: getattr(hit, key) for key in _KEYS} | dict(provenance or {}) for hit in hits]


def hits_geojson(
    hits: Sequence[Hit], provenance: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Convert hits to a GeoJSON FeatureCollection (RFC 7946).

    Hits without a place have a null geometry.

    Args:
        hits: best first.
        provenance: the collection's member `request`, see `search.export.provenance`.
    """
    features = []
    for hit in hits:
        geometry = None
        if hit.lon is not None and hit.lat is not None:
            geometry = {"type": "Point", "coordinates": [hit.lon, hit.lat]}
        properties = {k: v for k, v in hit.to_dict().items() if k not in ("lon", "lat")}
        features.append(
            {"type": "Feature", "id": hit.item_id, "geometry": geometry, "properties": properties}
        )
    asked = {"request": dict(provenance)} if provenance else {}
    return {"type": "FeatureCollection", **asked, "features": features}


def hits_csv(hits: Sequence[Hit], provenance: Mapping[str, str] | None = None) -> str:
    """Convert hits to CSV with a header line; unknown values are empty.

    Args:
        hits: best first.
        provenance: further columns, the same on every line, see `search.export.provenance`.
    """
    text = io.StringIO()
    more = dict(provenance or {})
    writer = csv.DictWriter(text, (*HIT_COLUMNS, *more), lineterminator="\n")
    writer.writeheader()
    for hit in hits:
        writer.writerow({k: text_cell(v) for k, v in (hit.to_dict() | more).items()})
    return text.getvalue()
