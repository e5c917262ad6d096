"""What a search answers with, and how it is written down."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from terraseek.search.query import Query

__all__ = ["Hit", "SearchResult", "hits_csv", "hits_geojson", "hits_json"]

_KEYS = ("item_id", "score", "lon", "lat", "caption", "image")


@dataclass(frozen=True, slots=True)
class Hit:
    """An item that was found."""

    item_id: str
    """Which one."""
    score: float
    """Cosine of query and image; with `alpha` the mixture of image and caption on the image's
    scale; minus the distance in kilometres where a place was asked for."""
    lon: float | None
    """Degrees east, EPSG:4326; None if its place is unknown."""
    lat: float | None
    """Degrees north, EPSG:4326; None if its place is unknown."""
    caption: str
    """What its source says; may be empty."""
    image: str
    """Reference for people; pixels come from `Catalogue.read_image(item_id)`."""
    rank: int
    """1 for the best."""
    label: str
    """Class of its source; may be empty."""
    source: str
    """Name of its source."""
    location_precision: str
    """How well its place is known, one of `PRECISIONS`."""
    image_score: float | None = None
    """Cosine of query and image."""
    caption_score: float | None = None
    """Cosine of query and caption; None if the caption is blank or was not asked."""
    percentile: float | None = None
    """Share in percent of unrelated images that score lower, where the encoder was calibrated."""
    convincing: bool | None = None
    """Whether most images of the catalogue that score as high are expected to be meant."""
    margin: float | None = None
    """Standard deviations its image lies above the catalogue's mean for this query."""
    matched_by: str | None = None
    """`picture` or `caption`: the side that lifts it more; None where one side alone is asked."""
    distance_km: float | None = None
    """Great-circle distance to the place that was asked for."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Ranked hits with how many items were in question."""

    hits: list[Hit]
    """Best first."""
    matched: int
    """Items that pass the filter, whether they have a vector or not."""
    query: Query
    """What was asked."""
    encoder_id: str = ""
    """Encoder that scored."""
    unsearchable: int = 0
    """Of those matched, items without a vector: not embedded yet, or undecodable."""
    exact: bool = True
    """Whether no better hit was missed; some kinds of index (ivfsq, ivfpq, hnsw) may miss one."""

    @property
    def convincing(self) -> bool | None:
        """Whether the best hit is more than chance; None where the encoder is not calibrated."""
        return self.hits[0].convincing if self.hits else None


def hits_json(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Hits as JSON values with the keys item_id, score, lon, lat, caption, image."""
    return [{key: getattr(hit, key) for key in _KEYS} for hit in hits]


def hits_geojson(hits: Sequence[Hit]) -> dict[str, Any]:
    """Hits as a GeoJSON FeatureCollection (RFC 7946); hits without a place have a null geometry."""
    features = []
    for hit in hits:
        geometry = None
        if hit.lon is not None and hit.lat is not None:
            geometry = {"type": "Point", "coordinates": [hit.lon, hit.lat]}
        properties = {k: v for k, v in asdict(hit).items() if k not in ("lon", "lat")}
        features.append(
            {"type": "Feature", "id": hit.item_id, "geometry": geometry, "properties": properties}
        )
    return {"type": "FeatureCollection", "features": features}


def hits_csv(hits: Sequence[Hit]) -> str:
    """Hits as CSV with a header line; what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(Hit)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(hit) for hit in hits)
    return text.getvalue()
