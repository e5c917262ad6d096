"""What a list of hits answers: query, filter, model and link, for every exported file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from terraseek.parameters import write_parameters

if TYPE_CHECKING:
    from terraseek.request import SearchRequest

__all__ = ["COLUMNS", "Provenance"]

COLUMNS = ("query", "filter", "model", "link")
"""Columns of `Provenance.row` that exported tables have after those of the hits."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The request that gave a list of hits, and the model that ranked them."""

    request: "SearchRequest"
    """Query, filter and number of hits."""
    model: str
    """Id of the encoder."""
    link_params: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further parameters of the link, such as the names of uploaded images on the server."""

    @property
    def query(self) -> str:
        """The query in words: "planes minus car park"; other parts as `name=value`."""
        query = self.request.query
        if query is None:
            return ""
        params = write_parameters(query)
        words = [str(params.pop("q"))] if "q" in params else []
        minus = params.pop("minus", [])
        for sentence in [minus] if isinstance(minus, str) else minus:
            words.append(f"minus {sentence}")
        n_images = len(query.images)
        if n_images:
            words.insert(0, "an image" if n_images == 1 else f"{n_images} images")
        return " ".join([*words, *_listed(params)])

    @property
    def link(self) -> str:
        """Address of the search in Explore, below the address of a server of the catalogue."""
        params = self.request.to_params() | dict(self.link_params)
        return f"/?{urlencode(params, doseq=True)}"

    def row(self) -> dict[str, str]:
        """Values of `COLUMNS`."""
        where = " ".join(_listed(write_parameters(self.request.filter)))
        return {"query": self.query, "filter": where, "model": self.model, "link": self.link}

    def to_json(self) -> dict[str, Any]:
        """`row` with the request's parameters, as `SearchRequest.from_params` reads them."""
        return {**self.row(), "parameters": self.request.to_params()}


def _listed(params: "dict[str, str | list[str]]") -> list[str]:
    """Each parameter as `name=value`."""
    return [
        f"{name}={value}"
        for name, values in params.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
