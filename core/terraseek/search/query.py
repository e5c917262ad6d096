"""What is asked for: words, a picture, an item, a weighted mixture, less what is not wanted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.encoders.base import Encoder
from terraseek.errors import EmptyQueryError, QueryError

__all__ = ["Query", "mix"]


@dataclass(frozen=True, eq=False)
class Query:
    """A query; at least one of `text`, `image` and `item_id` is given.

    The query vector is the weighted sum of the parts' unit vectors less `minus_weight` times the
    mean of the unwanted ones, scaled to length 1. Raises `EmptyQueryError` without any part and
    `QueryError` for weights that make no sense.
    """

    text: str | None = None
    """Words to look for."""
    image: UInt8[np.ndarray, "height width 3"] | None = None
    """A picture to look for, RGB."""
    item_id: str | None = None
    """An item to find more like; it is not among its own answers."""
    minus: tuple[str, ...] = ()
    """Words for what is not wanted."""
    text_weight: float = 1.0
    """Share of the words in a mixture."""
    image_weight: float = 1.0
    """Share of the picture."""
    item_weight: float = 1.0
    """Share of the item."""
    minus_weight: float = 0.5
    """How strongly unwanted words push away; 0 to 1."""
    alpha: float = 0.0
    """Share of the caption in the score, 0 (pictures only) to 1 (captions only)."""

    def __post_init__(self) -> None:
        if isinstance(self.minus, str):
            object.__setattr__(self, "minus", (self.minus,))
        object.__setattr__(self, "minus", tuple(m for m in self.minus if m.strip()))
        if self.text is not None and not self.text.strip():
            raise EmptyQueryError("the query is empty; say what to look for in a few words")
        if self.text is None and self.image is None and self.item_id is None:
            raise EmptyQueryError("nothing is asked for; give words, a picture or an item")
        weights = (self.text_weight, self.image_weight, self.item_weight, self.minus_weight)
        if not all(np.isfinite(w) and w >= 0 for w in weights):
            raise QueryError(f"weights {weights} must be numbers from 0 up")
        if not 0 <= self.alpha <= 1:
            raise QueryError(f"alpha {self.alpha} must lie between 0 (pictures) and 1 (captions)")


def mix(
    query: Query, encoder: Encoder, item_vector: Float32[np.ndarray, " dim"] | None
) -> Float32[np.ndarray, " dim"]:
    """Unit vector of a query.

    Args:
        query: what is asked.
        encoder: turns its words and picture into vectors.
        item_vector: vector of `query.item_id`; None if it names no item.

    Raises:
        QueryError: the parts cancel each other.
    """
    total = np.zeros(encoder.dim, np.float64)
    if query.text is not None:
        total += query.text_weight * encoder.encode_texts([query.text])[0]
    if query.image is not None:
        total += query.image_weight * encoder.encode_images([query.image])[0]
    if item_vector is not None:
        length = float(np.linalg.norm(item_vector)) or 1.0
        total += query.item_weight * (item_vector.astype(np.float64) / length)
    if query.minus:
        total -= query.minus_weight * encoder.encode_texts(query.minus).mean(axis=0)
    length = float(np.linalg.norm(total))
    if length < 1e-6:
        raise QueryError("the parts of the query cancel each other; change words or weights")
    return (total / length).astype(np.float32)
