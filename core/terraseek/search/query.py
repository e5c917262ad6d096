"""A search query: text, image, items, a weighted combination of these, or a place.

`query_vectors` turns a query into a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from jaxtyping import UInt8

from terraseek.errors import EmptyQueryError, QueryError
from terraseek.parameters import FLAG, LONLAT, NUMBER, NUMBERS, Codec, parameter

__all__ = ["WEIGHTS", "Query", "Weights"]

Weights = float | tuple[float, ...]
"""One weight for all parts of a kind, or one for each of them."""


def _read_weights(text: str) -> Weights:
    weights: tuple[float, ...] = NUMBERS.read(text)
    return weights[0] if len(weights) == 1 else weights


WEIGHTS = Codec(
    _read_weights,
    lambda value: NUMBERS.write(value if isinstance(value, tuple) else (value,)),
    "a number for all, or one for each, like 1,0.5",
    "N,N,...",
)


@dataclass(frozen=True, eq=False, repr=False)
class Query:
    """A search query: at least one positive part, or a place alone.

    The query vector is the weighted sum of the unit vectors of the parts minus that of the negative
    parts, scaled to length 1. Several texts, images or items of one kind are averaged, each
    multiplied by its weight.

    Raises:
        EmptyQueryError: there is no positive part and no place.
        QueryError: values are out of range or contradict each other.
    """

    parameter_error: ClassVar[type[QueryError]] = QueryError

    text: str | None = parameter("q", "text to search for")
    """Text to search for."""
    image: UInt8[np.ndarray, "height width 3"] | None = None
    """Image to search for, RGB."""
    plus_images: tuple[UInt8[np.ndarray, "height width 3"], ...] = ()
    """Further images to search for, averaged with `image`."""
    item_id: str | None = parameter("like", "id of an item; finds similar items")
    """Item whose similar items are searched; it is excluded from the hits."""
    plus_items: tuple[str, ...] = parameter(
        "plus_like", "id of a further item, averaged with the first", default=()
    )
    """Further items whose similar items are searched, averaged with `item_id`, and excluded too."""
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
    text_weight: Weights = parameter(
        "text_weight", "weight of the text and further texts", WEIGHTS, default=1.0
    )
    """Weight of `text` and of each of `plus`."""
    image_weight: Weights = parameter(
        "image_weight", "weight of the images to search for", WEIGHTS, default=1.0
    )
    """Weight of `image` and of each of `plus_images`."""
    item_weight: Weights = parameter(
        "like_weight", "weight of the items to search for", WEIGHTS, default=1.0
    )
    """Weight of `item_id` and of each of `plus_items`."""
    minus_weight: Weights = parameter(
        "minus_weight", "weight of the text for unwanted content", WEIGHTS, default=0.5
    )
    """Weight of the unwanted texts, which is subtracted."""
    liked_weight: float = parameter(
        "liked_weight", "weight of the mean of the relevant items", NUMBER, default=0.75
    )
    """Weight of the mean of the liked items; Rocchio's beta."""
    disliked_weight: float = parameter(
        "disliked_weight", "weight of the mean of the irrelevant items", NUMBER, default=0.25
    )
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
        for name in ("plus", "minus", "plus_items", "liked", "disliked"):
            value = getattr(self, name)
            parts = (value,) if isinstance(value, str) else value
            object.__setattr__(self, name, tuple(part for part in parts if part.strip()))
        if self.text is not None and not self.text.strip():
            raise EmptyQueryError("the query is empty; say what to look for in a few words")
        self._check_parts()
        self._check_weights()
        if not 0 <= self.alpha <= 1:
            raise QueryError(f"alpha {self.alpha} must be between 0 (images) and 1 (captions)")

    def __repr__(self) -> str:
        given = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                given.append(f"{field.name}={_size(value)}")
            elif field.name == "plus_images":
                given += [f"plus_images=({', '.join(map(_size, value))})"] if value else []
            elif value != field.default:
                given.append(f"{field.name}={value!r}")
        return f"Query({', '.join(given)})"

    def _check_parts(self) -> None:
        both = set(self.liked) & set(self.disliked)
        if both:
            raise QueryError(f"item {min(both)} is both liked and disliked; remove one of the two")
        has_positive_part = bool(self.sentences or self.images or self.items or self.liked)
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

    def _check_weights(self) -> None:
        kinds: dict[str, Sequence[Any]] = {
            "text_weight": self.sentences,
            "image_weight": self.images,
            "item_weight": self.items,
            "minus_weight": self.minus,
            "liked_weight": (),
            "disliked_weight": (),
        }
        for name, parts in kinds.items():
            weights = getattr(self, name)
            each = weights if isinstance(weights, tuple) else (weights,)
            if not all(np.isfinite(w) and w >= 0 for w in each):
                raise QueryError(f"weights must be numbers from 0 up; {name} is {weights}")
            if isinstance(weights, tuple) and len(weights) != len(parts):
                raise QueryError(
                    f"{name} has {len(weights)} weights for {len(parts)} parts; "
                    "give one for all, or one for each"
                )

    @property
    def sentences(self) -> tuple[str, ...]:
        """All texts to search for."""
        return (*((self.text,) if self.text is not None else ()), *self.plus)

    @property
    def images(self) -> tuple[UInt8[np.ndarray, "height width 3"], ...]:
        """All images to search for."""
        return (*((self.image,) if self.image is not None else ()), *self.plus_images)

    @property
    def items(self) -> tuple[str, ...]:
        """All items to search for; none of them is among the hits."""
        return (*((self.item_id,) if self.item_id is not None else ()), *self.plus_items)

    @property
    def is_text_only(self) -> bool:
        """Whether one text is compared with images only; calibrations hold for this case."""
        others = self.images or self.items or self.near is not None
        feedback = self.minus or self.liked or self.disliked or len(self.sentences) > 1
        return not others and not feedback and self.alpha == 0


def _size(image: UInt8[np.ndarray, "height width 3"]) -> str:
    return f"<{image.shape[1]} x {image.shape[0]} pixels>"
