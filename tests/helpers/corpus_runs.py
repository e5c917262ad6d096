"""Images and sources of corpus tests, made by code."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from terraseek_train.corpus.sources import ShardInput


def pixels(seed: int, side: int = 48) -> np.ndarray:
    """A smooth random image, whose perceptual hash differs from that of another seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def jpeg(image: np.ndarray, quality: int = 92) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def items_of(shards: list[ShardInput]) -> pa.Table:
    return pa.concat_tables(pq.read_table(shard.file) for shard in shards)


def write_images(folder: Path, images: dict[str, bytes], captions: dict[str, str]) -> None:
    """Write images and a caption JSON of RSICD's layout beside them."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name, data in images.items():
        (folder / "images" / name).write_bytes(data)
    entries = [
        {"filename": name, "split": "train", "sentences": [{"raw": captions.get(name, "land")}]}
        for name in images
    ]
    (folder / "captions.json").write_text(json.dumps({"images": entries}))
