"""Ground truth of a large scene: sentences and the regions where they are true."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from terraseek_demoworld.drawing.geometry import clip_polygon

__all__ = ["GroundTruth"]


@dataclass
class GroundTruth:
    """Sentences and the outlines (col, row) where they are true, collected while painting."""

    entries: list[tuple[str, Float[np.ndarray, "n 2"]]] = field(default_factory=list)

    def add(self, sentence: str, outline_px: Float[np.ndarray, "n 2"]) -> None:
        """Add an outline in which a sentence is true; a sentence may have several outlines."""
        self.entries.append((sentence, outline_px))

    def annotations(self, jpg_name: str, width: int, height: int) -> list[dict[str, Any]]:
        """Objects of a localization set's `anno.json`, clipped to the image.

        The key `jpg_name` is that layout's name for the image, whatever its format.
        """
        found: dict[str, list[list[list[float]]]] = {}
        for sentence, outline in self.entries:
            inside = clip_polygon(outline, width, height)
            if len(inside) >= 3:
                corners = [[round(float(x), 1), round(float(y), 1)] for x, y in inside]
                found.setdefault(sentence, []).append(corners)
        return [
            {"jpg_name": jpg_name, "caption": sentence, "points": outlines}
            for sentence, outlines in found.items()
        ]
