"""A tiny captioned set, a tiny architecture, and a config of both."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

TINY: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
COLOURS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (20, 40, 190)}


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    """Folder with `images/` and `captions.json`: squares of three colours, train and val."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    entries = []
    for row in range(18):
        colour = list(COLOURS)[row % 3]
        pixels = rng.normal(COLOURS[colour], 12, (40, 40, 3)).clip(0, 255).astype(np.uint8)
        name = f"{colour}_{row}.png"
        Image.fromarray(pixels).save(folder / "images" / name)
        sentences = [{"raw": f"a {colour} square"}, {"raw": f"{colour} ground number {row} ."}]
        split = "val" if row >= 15 else "train"
        entries.append({"filename": name, "split": split, "sentences": sentences})
    (folder / "captions.json").write_text(json.dumps({"images": entries}))
    return folder


@pytest.fixture
def settings(captioned: Path, tmp_path: Path) -> dict[str, Any]:
    """Settings of a config that trains in a second, as read from JSON."""
    source = {
        "name": "squares",
        "images": str(captioned / "images"),
        "captions": str(captioned / "captions.json"),
    }
    return {
        "out": str(tmp_path / "run"),
        "cache": str(tmp_path / "cache"),
        "data": [source],
        "val": source | {"split": "val"},
        "arch": TINY,
        "stored_size": 40,
        "sizes": [[0, 32]],
        "steps": 6,
        "batch": 5,
        "warmup": 2,
        "eval_every": 3,
        "save_every": 2,
        "threads": 1,
        "bf16": False,
    }
