"""Captions by a captioner: 20 candidates, 10 and then 5 by similarity, one by rotation invariance.

RS5M (appendix B6-B8): ViT-H/14 keeps 10 of 20 candidates and RN50x64 keeps 5; of these, the caption
whose cosine varies least over 12 rotations is the second caption of the image ("ssl cap").
"""

import zlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import SceneError
from terraseek_train.corpus.captions.captioner import load_captioner
from terraseek_train.corpus.captions.ranking import most_similar, rotation_variance
from terraseek_train.corpus.items import image_refs, read_pixels, set_column, texts
from terraseek_train.corpus.stage import BatchStage, Shard, StageOutput
from terraseek_train.corpus.vectors import encoder_of

__all__ = ["Captions"]


@dataclass(frozen=True)
class Captions(BatchStage):
    """Write captions for items that have none; adds `captions`, and `rotation_caption`."""

    captioner: str
    """`bank:FILE`, `huggingface:FOLDER` or `open_clip:ARCH:WEIGHTS`."""
    first_model: str = DEFAULT_MODEL
    """Registered encoder that keeps `first` candidates."""
    second_model: str = DEFAULT_MODEL
    """Registered encoder that keeps `second` of these, and whose cosines rotations vary."""
    candidates: int = 20
    first: int = 10
    second: int = 5
    circular: bool = False
    """Compare rotations of the inscribed circle, so that corners do not matter."""
    replace: bool = False
    """Also write captions for items that have one."""
    seed: int = 0

    def files(self) -> tuple[str, ...]:
        """See `Stage.files`."""
        kind, _, argument = self.captioner.partition(":")
        return (argument,) if kind == "bank" else ()

    def apply(self, items: pa.Table, shard: Shard) -> StageOutput:
        """See `BatchStage.apply`."""
        captions = texts(items, "caption")
        origins = texts(items, "caption_source")
        names = texts(items, "item")
        kept: list[list[str]] = [[text] if text else [] for text in captions]
        invariant, reasons = [""] * len(items), [""] * len(items)
        for row, ref in enumerate(image_refs(items)):
            if captions[row] and not self.replace:
                continue
            try:
                rgb = read_pixels(ref, 640)
            except (SceneError, FileNotFoundError) as error:
                reasons[row] = f"no image: {error}"
                continue
            kept[row], invariant[row] = self._write(rgb, names[row])
            if not kept[row]:
                reasons[row] = "no caption"
                continue
            captions[row], origins[row] = kept[row][0], "captioner"
        items = set_column(items, "caption", captions)
        items = set_column(items, "caption_source", origins)
        items = set_column(items, "captions", pa.array(kept, pa.list_(pa.string())))
        return StageOutput(set_column(items, "rotation_caption", invariant), reasons)

    def _write(self, rgb: np.ndarray, item: str) -> tuple[list[str], str]:
        """Kept captions, best first, and the one that rotation changes least."""
        first, second = encoder_of(self.first_model), encoder_of(self.second_model)
        # the item's own seed: the same captions in whatever shard it is
        rng = np.random.default_rng([self.seed, zlib.crc32(item.encode())])
        captioner = load_captioner(self.captioner, self.first_model)
        found = list(dict.fromkeys(captioner.candidates(rgb, self.candidates, rng)))
        for encoder, count in ((first, self.first), (second, self.second)):
            if found:
                vector = encoder.encode_images([rgb])[0]
                order = most_similar(vector, encoder.encode_texts(found), count)
                found = [found[row] for row in order]
        if not found:
            return [], ""
        variance = rotation_variance(rgb, found, second, self.circular)
        return found, found[int(np.argmin(variance))]
