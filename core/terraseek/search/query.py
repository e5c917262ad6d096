"""What is asked for: words, an image, items, a weighted mixture, less what is not wanted, a place.

Turning a query into a vector is in `queries`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from terraseek.errors import EmptyQueryError, QueryError

__all__ = ["Query"]


@dataclass(frozen=True, eq=False)
class Query:
    """A query; something to look for is given, or a place alone.

    The query vector is the weighted sum of the parts' unit vectors less what is not wanted, scaled
    to length 1; of several sentences or items of one kind the mean counts. Raises
    `EmptyQueryError` without any part and `QueryError` for what makes no sense.
    """

    text: str | None = None
    """Words to look for."""
    image: UInt8[np.ndarray, "height width 3"] | None = None
    """An image to look for, RGB."""
    item_id: str | None = None
    """An item to find more like; it is not among its own answers."""
    plus: tuple[str, ...] = ()
    """Further words to look for; with `text` they share its weight."""
    minus: tuple[str, ...] = ()
    """Words for what is not wanted."""
    liked: tuple[str, ...] = ()
    """Items that were what was meant (relevance feedback); they stay among the answers."""
    disliked: tuple[str, ...] = ()
    """Items that were not; they are not among the answers."""
    near: tuple[float, float] | None = None
    """(lon, lat) in degrees; ranks by distance, so no other part may be given."""
    text_weight: float = 1.0
    """Share of the words in a mixture."""
    image_weight: float = 1.0
    """Share of the image."""
    item_weight: float = 1.0
    """Share of the item."""
    minus_weight: float = 0.5
    """How strongly unwanted words push away; 0 to 1."""
    liked_weight: float = 0.75
    """Share of the liked items' mean; Rocchio's beta."""
    disliked_weight: float = 0.25
    """How strongly the disliked items' mean pushes away; Rocchio's gamma."""
    alpha: float = 0.0
    """Share of the caption in the score, 0 (images only) to 1 (captions only)."""
    ensemble: bool = False
    """Average each sentence over the zero-shot prompts; for a word or two, not for sentences."""

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
            raise QueryError(f"alpha {self.alpha} must lie between 0 (pictures) and 1 (captions)")

    def _check_parts(self) -> None:
        both = set(self.liked) & set(self.disliked)
        if both:
            raise QueryError(f"item {min(both)} is liked and disliked; take one of the two back")
        wanted = (self.text, self.image, self.item_id, *self.plus, *self.liked)
        asked = any(part is not None for part in wanted)
        if self.near is None and not asked:
            raise EmptyQueryError("nothing is asked for; give words, a picture or an item")
        if self.near is None:
            return
        if asked or self.minus or self.disliked:
            raise QueryError(
                "a place ranks by distance and takes no words, picture or items beside it; "
                "to search around it filter by an area or radius"
            )
        lon, lat = self.near
        if not (-180 <= lon <= 180 and -90 <= lat <= 90):
            raise QueryError(
                f"the place {lon:g}, {lat:g} must be longitude -180..180, latitude -90..90"
            )

    @property
    def sentences(self) -> tuple[str, ...]:
        """All words looked for."""
        return (*((self.text,) if self.text is not None else ()), *self.plus)

    @property
    def is_words(self) -> bool:
        """Whether words alone are asked on images alone, which calibrations are about."""
        others = (self.image, self.item_id, self.near)
        feedback = self.minus or self.liked or self.disliked or len(self.sentences) > 1
        return all(part is None for part in others) and not feedback and self.alpha == 0
