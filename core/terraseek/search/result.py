"""The result of a search: a sequence of hits that notebooks can show, tabulate and map."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

from terraseek.catalogue.catalogue import Catalogue
from terraseek.display import shortened
from terraseek.search.hits import Hit
from terraseek.search.query import Query
from terraseek.significance.model import Level, is_likely

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["SearchResult"]


@dataclass(frozen=True, slots=True, repr=False)
class SearchResult(Sequence[Hit]):
    """Ranked hits, with the number of items searched.

    A sequence of the hits: `len(result)`, `result[0]`, `for hit in result`; a slice is a result
    with those hits.
    """

    hits: list[Hit]
    """Best first."""
    matched: int
    """Number of items that pass the filter, with or without a vector."""
    query: Query
    """The query."""
    encoder_id: str = ""
    """Id of the encoder."""
    unsearchable: int = 0
    """Number of matched items without a vector: not embedded yet, or the image is unreadable."""
    exact: bool = True
    """Whether the hits are provably the best; approximate indexes may miss some."""
    catalogue: Catalogue | None = field(default=None, compare=False)
    """The catalogue searched, from which images are read; None shows hits without images."""

    significance: Level | None = None
    """Whether there are images of what the sentence describes: `likely`, `possible` or `none`; None
    for a query without a sentence, without hits, and for an encoder without calibration."""

    @property
    def significant(self) -> bool | None:
        """Whether the significance is likely; None if it is unknown."""
        return is_likely(self.significance)

    @property
    def expected_right(self) -> float | None:
        """Number of the hits that are expected to be right; None if it is unknown."""
        known = [hit.probability for hit in self.hits if hit.probability is not None]
        return sum(known) if known else None

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> "SearchResult": ...
    def __getitem__(self, index: int | slice) -> "Hit | SearchResult":
        if isinstance(index, slice):
            return replace(self, hits=self.hits[index])
        return self.hits[index]

    def __repr__(self) -> str:
        best = f", best score {self.hits[0].score:.4g}" if self.hits else ""
        return f"<SearchResult {self.query!r}: {len(self)} hits of {self.matched} items{best}>"

    def _repr_html_(self) -> str:
        """Grid of thumbnails with rank, score and caption, for notebooks."""
        from terraseek.search.notebook import hits_html

        return hits_html(self.hits, self.catalogue, shortened(repr(self), 200))

    def to_geodataframe(self) -> "GeoDataFrame":
        """Convert the hits to a GeoDataFrame with one row per hit, indexed by rank from 1.

        The geometry is the place as a point in EPSG:4326, None for hits without a place. The other
        columns are `HIT_COLUMNS`; `lon` and `lat` are NaN without a place.
        """
        from terraseek.search.export.geodataframe import hits_geodataframe

        return hits_geodataframe(self.hits)

    def explore(self, height: str = "600px") -> Any:  # noqa: ANN401 - leafmap has no types
        """Show the hits on an interactive map that needs no internet.

        Points are coloured by score, from dark (lowest of these hits) to yellow (highest). A click
        shows image, rank, score and caption. Hits without a place are left out.

        Args:
            height: height of the map as in CSS.

        Returns:
            A `leafmap.maplibregl.Map`, a Jupyter widget, with the view fitted to the hits.

        Raises:
            MissingExtraError: leafmap or the basemap is not installed.
        """
        from terraseek.search.notebook import hits_map

        return hits_map(self.hits, self.catalogue, height)
