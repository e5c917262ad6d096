"""Requests: everything one search or one localization is asked for, declared once.

Fields made by `terraseek.parameters.parameter` are the parameters of a request. The command line,
HTTP parameters, page links, query tables and the OpenAPI description derive from them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from terraseek.catalogue.filters.filter import Filter
from terraseek.errors import ConfigError, EmptyQueryError, TerraSeekError
from terraseek.localization.options import LocalizeOptions
from terraseek.parameters import (
    FLAG,
    NUMBER,
    WHOLE_NUMBER,
    Params,
    openapi_parameters,
    parameter,
    parameters_of,
    read_parameters,
    write_parameters,
)
from terraseek.search.query import Query

if TYPE_CHECKING:
    import numpy as np

    from terraseek.localization.query import ImageQuery, LocalizeQuery

__all__ = [
    "LOCALIZE_PARTS",
    "SEARCH_PARTS",
    "TEXT_COLUMNS",
    "LocalizeRequest",
    "SearchRequest",
    "describe_parameters",
]

SEPARATOR = "|"
"""Between several values in one cell of a query table."""
TEXT_COLUMNS = ("query", "text", "q", "prompt")
"""Accepted names of a table's text column; the first that has a value is used."""

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search: what to look for, among which items, and how many hits."""

    query: Query | None = None
    """What to rank by; None for a filter alone, which can be counted but not ranked."""
    filter: Filter = field(default_factory=Filter)
    """Which items may be found."""
    k: int = parameter("k", "number of hits", WHOLE_NUMBER, default=20, minimum=1)
    """Most hits returned."""
    collapse_duplicates: bool = parameter(
        "collapse_duplicates",
        "of near-duplicates show only the best",
        FLAG,
        default=False,
        aliases=("distinct",),
    )
    """Whether only the best hit of each group of near-duplicates is returned."""

    @classmethod
    def from_params(
        cls,
        params: Params,
        *,
        image: "np.ndarray | None" = None,
        local_files: bool = False,
        problems: list[str] | None = None,
    ) -> "SearchRequest":
        """Read a request from parameters; names of no parameter are ignored.

        Args:
            params: values by name, see `SEARCH_PARTS` for what is declared.
            image: RGB image to search for, which no parameter can hold.
            local_files: whether a value may be the name of a file of this computer.
            problems: collects a sentence for each value that cannot be used, instead of an error.

        Raises:
            TerraSeekError: a value cannot be used and `problems` is None.
        """

        def read(kind: type) -> dict[str, Any]:
            return read_parameters(kind, params, local_files=local_files, problems=problems)

        wanted = read(Query) | ({} if image is None else {"image": image})
        query = _build(lambda: Query(**wanted) if _asks(wanted) else None, None, problems)
        allowed = read(Filter)
        where = _build(lambda: Filter(**allowed), Filter(), problems)
        return cls(query, where, **read(cls))

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> "SearchRequest":
        """Read a request from a line of a query table; see `terraseek.search.batch`.

        Several values in one cell are separated by `|`; the text stands in one of `TEXT_COLUMNS`.
        Filters are not read from tables, whose other columns mean what their author likes.

        Raises:
            TerraSeekError: a value cannot be used.
        """
        params = {}
        for known in (*parameters_of(Query).values(), *parameters_of(cls).values()):
            cell = row.get(known.name, "")
            values = cell.split(SEPARATOR) if known.repeatable else [cell]
            params[known.name] = [value.strip() for value in values]
        params["q"] = [next((row[name] for name in TEXT_COLUMNS if row.get(name)), "")]
        return cls.from_params(params)

    def to_params(self) -> dict[str, str | list[str]]:
        """Parameters as texts; what equals its default is left out, and so is an image."""
        query = {} if self.query is None else write_parameters(self.query)
        return query | write_parameters(self.filter) | write_parameters(self)

    @property
    def ranked_query(self) -> Query:
        """The query.

        Raises:
            EmptyQueryError: there is none.
        """
        if self.query is None:
            raise EmptyQueryError("nothing to search for; give words, an image or an item")
        return self.query


@dataclass(frozen=True, slots=True)
class LocalizeRequest:
    """A localization: what to look for in a scene, how, and which regions to report."""

    parameter_error: ClassVar[type[ConfigError]] = ConfigError

    sentences: tuple[str, ...] = parameter(
        "q", "sentence to look for; one heat map each", default=()
    )
    """Sentences, each of which gives a heat map."""
    items: tuple[str, ...] = parameter("like", "id of an item whose image to look for", default=())
    """Items whose images are looked for, each of which gives a heat map."""
    options: LocalizeOptions = field(default_factory=LocalizeOptions)
    """Method, window sides, sentences to subtract."""
    threshold: float | None = parameter(
        "threshold", "lowest score of a region; by default halfway to the peak", NUMBER
    )
    """Lowest score of a region; None: halfway between the map's mean and its peak."""
    percentile: float | None = parameter(
        "percentile",
        "threshold as a percentile of the scores, 0 to 100",
        NUMBER,
        minimum=0,
        maximum=100,
    )
    """The threshold as a percentile of the map's scores instead."""
    side: int | None = parameter(
        "side", "the map of the windows of this side in pixels alone", WHOLE_NUMBER, minimum=2
    )
    """Side in pixels of the windows whose map is given; None: of all sides together."""
    stretch: bool = parameter(
        "stretch",
        "colours from the scene's median to its best scores, not by level of evidence",
        FLAG,
        default=False,
    )
    """Whether the colours of images are stretched to the scene; see `HeatMap.colour_scale`."""

    @classmethod
    def from_params(cls, params: Params) -> "LocalizeRequest":
        """Read a request from parameters; names of no parameter are ignored.

        Raises:
            TerraSeekError: a value cannot be used.
        """
        options = LocalizeOptions(**read_parameters(LocalizeOptions, params))
        return cls(options=options, **read_parameters(cls, params))

    def to_params(self) -> dict[str, str | list[str]]:
        """Parameters as texts; what equals its default is left out."""
        return write_parameters(self) | write_parameters(self.options)

    def queries(
        self,
        image_of: "Callable[[str], ImageQuery] | None" = None,
        image: "ImageQuery | None" = None,
    ) -> "list[LocalizeQuery]":
        """What the scene is searched for: sentences, then images of items, then a further image.

        Args:
            image_of: reads the image of an item; needed where `items` are given.
            image: a further image to look for.

        Raises:
            EmptyQueryError: there is nothing to look for.
        """
        found: list[LocalizeQuery] = [*self.sentences]
        if image_of is not None:
            found += [image_of(item_id) for item_id in self.items]
        found += [] if image is None else [image]
        if not found:
            raise EmptyQueryError('say what to look for: words like "ships at a pier", or an image')
        return found


SEARCH_PARTS: tuple[type, ...] = (Query, Filter, SearchRequest)
"""Dataclasses whose parameters together make a search request."""
LOCALIZE_PARTS: tuple[type, ...] = (LocalizeRequest, LocalizeOptions)
"""Dataclasses whose parameters together make a localization request."""


def describe_parameters(parts: Sequence[type]) -> list[dict[str, Any]]:
    """Query parameters of `SEARCH_PARTS` or `LOCALIZE_PARTS` for an OpenAPI description."""
    return [one for kind in parts for one in openapi_parameters(kind)]


def _asks(wanted: Mapping[str, Any]) -> bool:
    """Whether anything of a query is given beside its settings."""
    return bool({name for name in wanted if not name.endswith("_weight")} - {"alpha", "ensemble"})


def _build(build: Callable[[], Part], default: Part, problems: list[str] | None) -> Part:
    """Build a part of a request; with `problems`, one that makes no sense becomes its default."""
    try:
        return build()
    except TerraSeekError as error:
        if problems is None:
            raise
        problems.append(f"{error}; it was left out.")
        return default
