"""Broken images: every image is decoded, and those that cannot be are counted by kind."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from terraseek.catalogue.records import ImageRef
from terraseek.errors import (
    EmptySceneError,
    NotAnImageError,
    SceneError,
    SceneTooLargeError,
    TruncatedImageError,
    UnsupportedSceneError,
)
from terraseek_train.corpus.items import image_refs, read_pixels, set_column
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput

__all__ = ["KINDS", "Broken"]

KINDS: dict[type[SceneError], str] = {
    EmptySceneError: "empty",
    NotAnImageError: "not an image",
    TruncatedImageError: "truncated or damaged",
    SceneTooLargeError: "too large",
    UnsupportedSceneError: "unsupported",
}
"""Kind of damage by the error that the decoder gives."""


@dataclass(frozen=True)
class Broken(BatchStage):
    """Reject items whose image cannot be decoded, is too small or of one colour; adds its size."""

    min_side: int = 16
    """Smallest side in pixels."""
    reject_blank: bool = True
    """Reject images whose pixels all have one colour."""

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`; adds `width` and `height` in pixels, 0 where unknown."""
        results = list(self._inspect(image_refs(items)))
        items = set_column(items, "width", [width for _, width, _ in results])
        items = set_column(items, "height", [height for _, _, height in results])
        return StageOutput(items, [reason for reason, _, _ in results])

    def _inspect(self, refs: list[ImageRef | None]) -> Iterator[tuple[str, int, int]]:
        for ref in refs:
            try:
                rgb = read_pixels(ref)
            except FileNotFoundError:
                yield "missing", 0, 0
                continue
            except SceneError as error:
                kind = KINDS.get(type(error), "truncated or damaged")
                yield f"{kind}: {error}", 0, 0
                continue
            height, width = rgb.shape[:2]
            reason = ""
            if min(height, width) < self.min_side:
                reason = f"small: {width} x {height} pixels"
            elif self.reject_blank and bool((rgb == rgb[0, 0]).all()):
                reason = "blank"
            yield reason, width, height
