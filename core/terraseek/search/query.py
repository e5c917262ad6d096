"""A search query: text, image, items, a weighted combination of these, or a place.

`query_vectors` turns a query into a vector.
"""

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from terraseek.errors import EmptyQueryError, QueryError
from terraseek.parameters import FLAG, LONLAT, NUMBER, parameter

__all__ = ["Query"]


@dataclass(frozen=True, eq=False, repr=False)
class Query:
    """A search query: at least one positive part, or a place alone.

    The query vector is the weighted sum of the unit vectors of the parts minus that of the negative
    parts, scaled to length 1. Several sentences or items in one part are averaged.

    Raises:
        EmptyQueryError: there is no positive part and no place.
        QueryError: values are out of range or contradict each other.
    """

    parameter_error: ClassVar[type[QueryError]] = QueryError

    text: str | None = parameter("q", "text to search for")
    """Text to search for."""
    image: UInt8[np.ndarray, "height width 3"] | None = None
    """Image to search for, RGB."""
    item_id: str | None = parameter("like", "id of an item; finds similar items")
    """Item whose similar items are searched; it is excluded from the hits."""
    plus: tuple[str, ...] = parameter("plus", "further text to search for", default=())
    """Further texts to search for, averaged with `text`."""
    minus: tuple[str, ...] = parameter("minus", "text for unwanted content", default=())
    """Texts for unwanted content."""
    liked: tuple[str, ...] = parameter(
        "liked", "id of a relevant item (relevance feedback)", default=()
    )
    """Relevant items (relevance feedback); they may be among the hits."""
    disliked: tuple[str, ...] = parameter("disliked", "id of an irrelevant item", default=())
    """Irrelevant items; they are excluded from the hits."""
    near: tuple[float, float] | None = parameter(
        "near", "rank items by distance to this place", LONLAT
    )
    """Place (lon, lat) in degrees; hits are ranked by distance, so no other part may be given."""
    text_weight: float = 1.0
    """Weight of the texts."""
    image_weight: float = 1.0
    """Weight of the image."""
    item_weight: float = 1.0
    """Weight of the item."""
    minus_weight: float = 0.5
    """Weight of the unwanted texts, which is subtracted."""
    liked_weight: float = 0.75
    """Weight of the mean of the liked items; Rocchio's beta."""
    disliked_weight: float = 0.25
    """Weight of the mean of the disliked items, which is subtracted; Rocchio's gamma."""
    alpha: float = parameter(
        "alpha",
        "weight of the caption in the score, 0 to 1",
        NUMBER,
        default=0.0,
        minimum=0,
        maximum=1,
    )
    """Weight of the caption in the score, 0 (images only) to 1 (captions only)."""
    ensemble: bool = parameter(
        "ensemble",
        "average the text over 105 prompts; for single words, not sentences",
        FLAG,
        default=False,
    )
    """Whether to average each text over the zero-shot prompts; for single words, not sentences."""

    def __post_init__(self) -> None:
        for name in ("plus", "minus", "liked", "disliked"):
            value = getattr(self, name)
            parts = (value,) if isinstance(value, str) else value
            object.__setattr__(self, name, tuple(part for part in parts if part.strip()))
        if self.text is not None and not self.text.strip():
            raise EmptyQueryError("the query is empty; say what to look for in a few words")
        self._check_parts()
        weights = (
            self.text_weight, self.image_weight, self.item_weight, self.minus_weight,
            self.liked_weight, self.disliked_weight,
        )  # fmt: skip
        if not all(np.isfinite(w) and w >= 0 for w in weights):
            raise QueryError(f"weights {weights} must be numbers from 0 up")
        if not 0 <= self.alpha <= 1:
            raise QueryError(f"alpha {self.alpha} must be between 0 (images) and 1 (captions)")

    def __repr__(self) -> str:
        given = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                given.append(f"{field.name}=<{value.shape[1]} x {value.shape[0]} pixels>")
            elif value != field.default:
                given.append(f"{field.name}={value!r}")
        return f"Query({', '.join(given)})"

    def _check_parts(self) -> None:
        both = set(self.liked) & set(self.disliked)
        if both:
            raise QueryError(f"item {min(both)} is both liked and disliked; remove one of the two")
        wanted = (self.text, self.image, self.item_id, *self.plus, *self.liked)
        has_positive_part = any(part is not None for part in wanted)
        if self.near is None and not has_positive_part:
            raise EmptyQueryError("the query is empty; give a text, an image or an item")
        if self.near is None:
            return
        if has_positive_part or self.minus or self.disliked:
            raise QueryError(
                "a place ranks by distance and cannot be combined with texts, images or items; "
                "to search around a place, filter by an area or radius"
            )
        lon, lat = self.near
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise QueryError(
                f"the place {lon:g}, {lat:g} must be longitude -180..180, latitude -90..90"
            )

    @property
    def sentences(self) -> tuple[str, ...]:
        """All texts to search for."""
        return (*((self.text,) if self.text is not None else ()), *self.plus)

    @property
    def is_text_only(self) -> bool:
        """Whether one text is compared with images only; calibrations hold for this case."""
        others = (self.image, self.item_id, self.near)
        feedback = self.minus or self.liked or self.disliked or len(self.sentences) > 1
        return all(part is None for part in others) and not feedback and self.alpha == 0
