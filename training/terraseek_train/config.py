"""Settings of one training run: a small JSON file, whose unknown keys are errors."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from terraseek.errors import ConfigError
from terraseek_train.config_checks import check_kinds, check_values, fill_architecture

__all__ = ["DataSource", "TrainConfig", "expand_variables", "load_config"]


@dataclass(frozen=True)
class DataSource:
    """One set of images with captions or labels; paths may name environment variables."""

    name: str
    images: str
    """Folder, tar, or folder of RS5M shards."""
    captions: str | None = None
    """Caption JSON, or CSV with filename,title."""
    labels: str | None = None
    """CSV with filename,label; without captions and labels the class folder is the label."""
    split: str | None = "train"
    weight: float = 1.0
    """Share of its images drawn in an epoch."""
    area: tuple[float, float] = (0.45, 1.0)
    """Smallest and largest share of an image that a training view shows."""
    mosaic: float = 0.0
    """How often a view is a mosaic of images of one concept, as a coarser sensor would see it."""
    air: float = 0.0
    """How often a view is seen through the whole atmosphere: for corrected satellite images."""
    partial: bool = False
    """Captions whose image is not in `images` are left out instead of refused."""
    stream: bool = False
    """Images are decoded whenever they are drawn instead of once into memory."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything a run depends on besides the data files themselves."""

    out: str
    data: tuple[DataSource, ...]
    arch: dict[str, Any]
    """open_clip model config; its image_size is what the exported model uses."""
    cache: str = "runs/cache"
    teacher: str | None = None
    """Folder of the MiniLM sentence encoder; None trains without a text teacher."""
    rs5m_captions: str | None = None
    """RS3 caption CSV, read for the text tower alone."""
    val: DataSource | None = None
    """Split the best weights are chosen on."""
    val_extra: tuple[DataSource, ...] = ()
    """Further splits that are only reported."""
    allow_leakage: bool = False
    """Go on though images of a validation split are in the training data too."""
    init: str | None = None
    """What to start from: a run's folder, a weights file, or the name of a registered model."""
    init_text: str | None = None
    """Whose text tower to start from, named likewise; the image tower then starts at random, and
    finds a space in which sentences have their places already. Not beside `init`."""
    distil: str | None = None
    """A finished encoder whose scores of images against sentences are learnt beside the true
    pairs, named like `init`: joined ones teach each of their members what the others know."""
    distil_share: float = 0.5
    """Share of its softmax in the contrastive targets."""
    stored_size: int = 160
    """Side in pixels at which images are kept decoded."""
    steps: int = 1000
    batch: int = 256
    """Images the contrastive loss compares, over all processes."""
    chunk: int = 0
    """Images a process sends through the towers at a time, for batches larger than memory; the
    gradient stays that of the whole batch (gradient caching). 0: all at once."""
    accumulate: int = 1
    """Batches whose gradients are averaged for one step; each is compared within itself only."""
    text_only: int = 96
    """Sentences without an image per step, seen by the text teacher only."""
    sizes: tuple[tuple[float, int], ...] = ((0.0, 96), (0.7, 128))
    """(share of the run from which it holds, side in pixels the image tower sees)."""
    lr: float = 1e-3
    final_lr: float = 0.01
    """Share of `lr` the cosine ends at."""
    warmup: int = 100
    weight_decay: float = 0.05
    clip: float = 2.0
    ema: float = 0.998
    smoothing: float = 0.1
    """Share of the contrastive target given to sentences the teacher finds similar."""
    class_weight: float = 0.3
    text_weight: float = 1.0
    image_weight: float = 0.5
    """Weights of scene-class loss and of text and image towards the teacher's vectors."""
    mix: float = 0.0
    """How often an image is blended with, or has a box replaced by, another one of its batch."""
    template_share: float = 0.15
    """How often a labelled, captioned image is shown with a class sentence instead."""
    word_drop: float = 0.0
    """How often a piece of an image's sentence is left out, so that none is known by heart."""
    freeze_words: bool = False
    """Token embeddings stay as they begin: words nobody wrote keep their place beside the others,
    and encoders of different seeds can share one table."""
    seed: int = 0
    device: str = "auto"
    """`auto` takes CUDA where there is one; or `cpu`, `cuda`, `cuda:1`."""
    threads: int = 2
    """CPU threads of torch."""
    workers: int = 2
    """Threads that decode and augment."""
    bf16: bool = True
    """Towers compute in bfloat16 where that is safe (autocast); weights stay float32."""
    tensorboard: bool = False
    """Write the log as TensorBoard events too, into `out/tensorboard`."""
    eval_every: int = 250
    save_every: int = 100
    means: tuple[float, float, float] = field(default=(0.37, 0.38, 0.34))
    stds: tuple[float, float, float] = field(default=(0.19, 0.17, 0.17))

    def __post_init__(self) -> None:
        check_values(self)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as written beside the outputs."""
        return asdict(self)


def load_config(path: Path) -> TrainConfig:
    """Read a config; environment variables in strings (`$TERRASEEK_DATA/...`) are filled in.

    `arch` may be the name of an open_clip model; it may be left out where `init` names a registered
    model, whose normalisation is then the default too.

    Raises:
        ConfigError: no such file, not JSON, an unknown or missing key, an unset variable, a value
            that cannot be used.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a config: {error}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds no JSON object with settings by name")
    value = expand_variables(raw, path)
    try:
        return _made(value, path)
    except ConfigError as error:
        named = str(path) in str(error)
        raise error if named else ConfigError(f"{path}: {error}") from error


def _made(value: dict[str, Any], path: Path) -> TrainConfig:
    check_kinds(value, TrainConfig)
    for key in ("data", "val_extra"):
        value[key] = tuple(_source(entry, path) for entry in value.get(key, ()))
    if value.get("val"):
        value["val"] = _source(value["val"], path)
    fill_architecture(value)
    for key in ("sizes", "means", "stds"):
        if key in value:
            value[key] = tuple(tuple(v) if isinstance(v, list) else v for v in value[key])
    _check_keys(value, TrainConfig, path)
    return TrainConfig(**value)


def _source(entry: Any, path: Path) -> DataSource:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(entry, dict):
        raise ConfigError(f"source {entry!r} must be an object with name and images")
    _check_keys(entry, DataSource, path)
    check_kinds(entry, DataSource)
    if "area" in entry:
        entry = entry | {"area": tuple(entry["area"])}
    return DataSource(**entry)


def _check_keys(value: dict[str, Any], kind: type, path: Path) -> None:
    known = [item.name for item in fields(kind)]
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ConfigError(f"{path} has the unknown key {unknown[0]!r}; known: {', '.join(known)}")
    required = {"TrainConfig": ("out", "data", "arch"), "DataSource": ("name", "images")}
    for key in required[kind.__name__]:
        if key not in value:
            raise ConfigError(f"{path} lacks the key {key!r}")


def expand_variables(value: Any, path: Path) -> Any:  # noqa: ANN401 - JSON is any of these
    """Environment variables in all strings of a JSON value filled in.

    Raises:
        ConfigError: one is not set; the message names the string and `path`.
    """
    if isinstance(value, dict):
        return {key: expand_variables(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [expand_variables(item, path) for item in value]
    if isinstance(value, str):
        filled = os.path.expandvars(value)
        if "$" in filled:
            raise ConfigError(f"{path}: {value!r} names a variable that is not set")
        return filled
    return value
