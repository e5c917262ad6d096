"""Train the detector: overhead imagery of sources against photographs, graphics and text.

Train and test share no image: overhead images and photographs are split by image before crops are
cut, graphics are drawn with other seeds.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from terraseek.catalogue.images import read_image
from terraseek.catalogue.importing.readers.registry import open_source
from terraseek.catalogue.records import Record
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import SceneError
from terraseek.files import write_json
from terraseek.progress import Progress, silent
from terraseek_train.corpus.detector.features import measure_images
from terraseek_train.corpus.detector.graphics import draw_graphic
from terraseek_train.corpus.detector.ground import photographs, random_crop
from terraseek_train.corpus.detector.model import fit_detector
from terraseek_train.corpus.vectors import encoder_of

__all__ = ["DetectorConfig", "train_detector"]

Images = list[UInt8[np.ndarray, "h w 3"]]


@dataclass(frozen=True)
class DetectorConfig:
    """Settings of a training of the detector."""

    out: str
    """File of the detector, `.npz`; its measurements are beside it as `.json`."""
    overhead: tuple[str, ...]
    """Sources of overhead imagery, anything that `terraseek import` reads."""
    ground: tuple[str, ...] = ()
    """Folders of photographs taken on the ground, beside those that scikit-image ships."""
    shipped: bool = True
    """Whether the photographs that scikit-image ships are used."""
    images: int = 1000
    """Overhead images, in equal parts of the sources; half as many photographs and graphics."""
    test_share: float = 0.25
    model: str = DEFAULT_MODEL
    seed: int = 0


def train_detector(config: DetectorConfig, progress: Progress = silent) -> dict[str, Any]:
    """Train and store a detector; returns what `.json` has: accuracy and confusion on the test set.

    Raises:
        SourceError: a source or folder cannot be read.
    """
    rng = np.random.default_rng(config.seed)
    encoder = encoder_of(config.model)
    parts = [_overhead(config, rng), _ground(config, rng), _graphics(config, rng)]
    sets: dict[str, tuple[list[np.ndarray], list[str]]] = {"train": ([], []), "test": ([], [])}
    for name, (train, test) in zip(("overhead", "ground", "graphic"), parts, strict=True):
        for split, images in (("train", train), ("test", test)):
            progress(f"{split} {name}", 0, len(images))
            sets[split][0].append(measure_images(images, encoder))
            sets[split][1].extend([name] * len(images))
            progress(f"{split} {name}", len(images), len(images))
    features, names = np.concatenate(sets["train"][0]), np.array(sets["train"][1])
    detector = fit_detector(features, names == "overhead", encoder.encoder_id)
    detector.save(Path(config.out))
    facts = {"config": asdict(config), "encoder": encoder.encoder_id}
    for split, (rows, kinds) in sets.items():
        called = detector.probability(np.concatenate(rows)) >= 0.5
        facts[split] = _confusion(called, np.array(kinds))
    write_json(Path(config.out).with_suffix(".json"), facts)
    return facts


def _confusion(called: np.ndarray, kinds: np.ndarray) -> dict[str, Any]:
    counts = {
        kind: {"images": int((kinds == kind).sum()), "overhead": int(called[kinds == kind].sum())}
        for kind in dict.fromkeys(kinds.tolist())
    }
    right = float((called == (kinds == "overhead")).mean())
    return {"accuracy": round(right, 4), "called": counts}


def _overhead(config: DetectorConfig, rng: np.random.Generator) -> tuple[Images, Images]:
    images: Images = []
    per_source = -(-config.images // len(config.overhead))
    for path in config.overhead:
        records = [r for r in open_source(Path(path)).read() if isinstance(r, Record)]
        order = rng.permutation(len(records))[:per_source]
        images += [image for row in order for image in _decoded(records[row])]
    order = rng.permutation(len(images))
    cut = int(len(images) * config.test_share)
    # the negatives are crops of varied brightness: so are these, or the crop would tell them apart
    varied = [random_crop(rng, images[i]) for i in order]
    return varied[cut:], varied[:cut]


def _decoded(record: Record) -> Images:
    try:
        return [] if record.image is None else [read_image(record.image, 320)]
    except (SceneError, FileNotFoundError):
        return []


def _ground(config: DetectorConfig, rng: np.random.Generator) -> tuple[Images, Images]:
    found = list(photographs(config.ground, config.shipped).values())
    order = rng.permutation(len(found))
    cut = max(1, int(len(found) * config.test_share))
    count = config.images // 2
    test = _crops(rng, [found[i] for i in order[:cut]], int(count * config.test_share))
    train = _crops(rng, [found[i] for i in order[cut:]], count - len(test))
    return train, test


def _crops(rng: np.random.Generator, images: Sequence[np.ndarray], count: int) -> Images:
    return [random_crop(rng, images[n % len(images)]) for n in range(count)]


def _graphics(config: DetectorConfig, rng: np.random.Generator) -> tuple[Images, Images]:
    count = config.images // 2
    images = [draw_graphic(rng) for _ in range(count)]
    cut = int(count * config.test_share)
    return images[cut:], images[:cut]
