"""Settings of one training run, from a JSON file; unknown keys are errors."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.errors import ConfigError
from terraseek_train.config_architecture import fill_architecture
from terraseek_train.config_checks import check_method, check_ranges, check_types

if TYPE_CHECKING:
    from terraseek_train.methods.options import MethodOptions
    from terraseek_train.peft.config import PeftConfig

__all__ = ["DataSource", "TrainConfig", "expand_variables", "load_config"]


@dataclass(frozen=True)
class DataSource:
    """A set of images with captions or labels; paths may contain environment variables."""

    name: str
    images: str
    """Folder, tar, or folder of RS5M shards."""
    captions: str | None = None
    """Caption JSON, or CSV with the columns filename,title."""
    labels: str | None = None
    """CSV with the columns filename,label; without captions and labels the class folder is the
    label."""
    split: str | None = "train"
    """Split of the caption JSON to use; None uses all."""
    weight: float = 1.0
    """How often an image is used per epoch, on average."""
    area: tuple[float, float] = (0.45, 1.0)
    """Smallest and largest share of an image's area that a training view shows."""
    mosaic: float = 0.0
    """Probability that a view is a mosaic of images of one concept, at a coarser resolution."""
    air: float = 0.0
    """Probability that a view gets the look of uncorrected top-of-atmosphere data; for images that
    were corrected."""
    partial: bool = False
    """Skip captions whose image is not in `images`, instead of refusing them."""
    stream: bool = False
    """Decode images each time they are drawn, instead of once into memory."""
    skip: int = 0
    """Images to leave out, the first ones of a fixed shuffled order."""
    limit: int = 0
    """If above 0: use only this many images, those after the skipped ones in that order."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything a run depends on, except the content of the data files."""

    out: str
    """Folder of the run."""
    data: tuple[DataSource, ...]
    arch: dict[str, Any]
    """open_clip model config; the exported model uses its image_size."""
    method: str = "contrastive"
    """What is learnt: `contrastive` (with the terms weighted below), `georsclip`, `ebaker`, `pir`
    or `priorclip`, the methods of the papers."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the method, see `terraseek_train.methods.options`; absent ones are the paper's."""
    tune: Any = "full"
    """What is trained: `full`, `frozen-image`, `frozen-text`, `linear-probe`, `lora`, `pfeiffer`,
    `prefix` or `unipelt`, or an object with this as `kind` and the sizes of `PeftConfig`."""
    cache: str = "runs/cache"
    """Folder of decoded images and sentence vectors, shared by runs."""
    teacher: str | None = None
    """Folder of the MiniLM sentence encoder, whose vectors are targets of both towers; None trains
    without."""
    rs5m_captions: str | None = None
    """RS3 caption CSV; its sentences have no image and train the text tower."""
    val: DataSource | None = None
    """Validation set on which the best weights are chosen."""
    val_extra: tuple[DataSource, ...] = ()
    """Further validation sets, which are reported only."""
    allow_leakage: bool = False
    """Warn, instead of refusing, when images of a validation set are in the training data."""
    merge_bits: int = -1
    """If 0 or more: leave out training images whose perceptual hash differs in at most this many
    bits from one of an earlier source or of a validation set."""
    init: str | None = None
    """Initial weights: a run's folder, a weights file, or the name of a registered model."""
    init_text: str | None = None
    """Initial weights of the text tower alone, named likewise; the image tower then starts at
    random and learns a space in which sentences are arranged already. Not beside `init`. For BERT
    also a file or folder of its published weights, without a projection."""
    init_image: str | None = None
    """Initial weights of a timm image tower alone: a file or folder as timm publishes it. Its
    projection starts at random. Not beside `init`."""
    distil: str | None = None
    """Teacher of a distillation, named like `init`: its scores of images against sentences are
    learnt beside the true pairs. An ensemble can teach each of its members."""
    distil_share: float = 0.5
    """Weight of the teacher's softmax in the contrastive targets."""
    stored_size: int = 160
    """Side in pixels at which decoded images are kept."""
    steps: int = 1000
    """Optimizer steps of the run."""
    epochs: int = 0
    """If above 0: the run's length in passes over the data, in place of `steps`."""
    batch: int = 256
    """Images that the contrastive loss compares, over all processes."""
    chunk: int = 0
    """Images that a process sends through the towers at a time, for batches larger than memory;
    the gradient stays that of the whole batch (gradient caching). 0: all at once."""
    accumulate: int = 1
    """Batches whose gradients are averaged for one step; pairs are compared within a batch."""
    views: int = 0
    """If above 0: the number of different views of an image, in place of a new one each time. The
    outputs of towers that are not trained are then kept in memory, so this is for small sets."""
    text_only: int = 96
    """Sentences without an image per batch; they have the sentence encoder's loss only."""
    sizes: tuple[tuple[float, int], ...] = ((0.0, 96), (0.7, 128))
    """(share of the run from which it holds, side in pixels of the image tower's input)."""
    lr: float = 1e-3
    """Peak learning rate."""
    decay: str = "cosine"
    """Shape of the learning rate after the warm-up: `cosine`, or `linear` as in PIR."""
    final_lr: float = 0.01
    """Learning rate at the end, as a share of `lr`."""
    warmup: int = 100
    """Steps of linear warm-up."""
    warmup_share: float = 0.0
    """If above 0: the warm-up as a share of the run, in place of `warmup`."""
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)
    """Decay of AdamW's averages of the gradient and of its square."""
    clip: float = 2.0
    """Largest norm of the gradient; 0: any."""
    ema: float = 0.998
    """Decay of the moving average of the weights."""
    smoothing: float = 0.1
    """Share of the contrastive target that goes to sentences the sentence encoder finds similar."""
    class_weight: float = 0.3
    """Weight of the scene-class loss."""
    text_weight: float = 1.0
    """Weight of the text features' loss against the sentence encoder's vectors."""
    image_weight: float = 0.5
    """Weight of the image features' loss against the sentence encoder's vectors."""
    mix: float = 0.0
    """Probability that an image is mixed with another one of its batch (mixup or CutMix)."""
    template_share: float = 0.15
    """Probability that an image with captions and a label gets a template sentence of its class."""
    word_drop: float = 0.0
    """Probability that a word piece of an image's sentence is dropped, against memorising."""
    freeze_words: bool = False
    """Exclude the token embedding from training: words in no caption keep their place among the
    others, and runs with different seeds can form an ensemble with one shared table."""
    seed: int = 0
    device: str = "auto"
    """`auto` takes CUDA where there is one; or `cpu`, `cuda`, `cuda:1`."""
    threads: int = 2
    """CPU threads of torch."""
    workers: int = 2
    """Threads that decode and augment."""
    bf16: bool = True
    """Compute in bfloat16 where that is safe (autocast); weights stay float32."""
    tensorboard: bool = False
    """Also write the log as TensorBoard events, into `out/tensorboard`."""
    eval_every: int = 250
    """Steps between validations."""
    save_every: int = 100
    """Steps between checkpoints to resume from."""
    means: tuple[float, float, float] = field(default=(0.37, 0.38, 0.34))
    """Mean of the pixels by channel, 0-1."""
    stds: tuple[float, float, float] = field(default=(0.19, 0.17, 0.17))
    """Standard deviation of the pixels by channel, 0-1."""

    def __post_init__(self) -> None:
        check_ranges(vars(self))
        check_method(vars(self))
        self.method_options()
        self.tuning()

    def method_options(self) -> "MethodOptions":
        """Options of the method, complete and checked.

        Raises:
            ConfigError: an unknown method, or an option that it does not take.
        """
        from terraseek_train.methods.options import read_options

        return read_options(self.method, self.options)

    def tuning(self) -> "PeftConfig":
        """What `tune` names, with its sizes.

        Raises:
            ConfigError: an unknown kind, or a size out of range.
        """
        from terraseek_train.peft.config import PeftConfig

        return PeftConfig.from_json(
            {"kind": self.tune} if isinstance(self.tune, str) else self.tune
        )

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values, as written beside the outputs."""
        return asdict(self)


def load_config(path: Path, keep_unset: bool = False) -> TrainConfig:
    """Read a config; environment variables in strings (`$TERRASEEK_DATA/...`) are expanded.

    `arch` may be the name of an open_clip model. It may be absent where `init` names a registered
    model, which then gives the default pixel statistics too.

    Args:
        path: JSON file.
        keep_unset: leave variables that are not set as they are, for a dry run without data.

    Raises:
        ConfigError: no such file, not JSON, an unknown or missing key, an unset variable, or a
            value of the wrong type or out of range.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a config: {error}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold a JSON object of settings by name")
    value = expand_variables(raw, path, keep_unset)
    try:
        return _parse_config(value, path)
    except ConfigError as error:
        names_path = str(path) in str(error)
        raise error if names_path else ConfigError(f"{path}: {error}") from error


def _parse_config(value: dict[str, Any], path: Path) -> TrainConfig:
    check_types(value, TrainConfig)
    for key in ("data", "val_extra"):
        value[key] = tuple(_parse_source(entry, path) for entry in value.get(key, ()))
    if value.get("val"):
        value["val"] = _parse_source(value["val"], path)
    fill_architecture(value)
    for key in ("sizes", "means", "stds", "betas"):
        if key in value:
            value[key] = tuple(tuple(v) if isinstance(v, list) else v for v in value[key])
    _check_keys(value, TrainConfig, path)
    return TrainConfig(**value)


def _parse_source(entry: Any, path: Path) -> DataSource:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(entry, dict):
        raise ConfigError(f"source {entry!r} must be an object with name and images")
    _check_keys(entry, DataSource, path)
    check_types(entry, DataSource)
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


def expand_variables(
    value: Any,  # noqa: ANN401 - JSON is any of these
    path: Path,
    keep_unset: bool = False,
) -> Any:  # noqa: ANN401
    """Expand environment variables in all strings of a JSON value.

    Raises:
        ConfigError: a variable is not set; the message names the string and `path`.
    """
    if isinstance(value, dict):
        return {key: expand_variables(item, path, keep_unset) for key, item in value.items()}
    if isinstance(value, list):
        return [expand_variables(item, path, keep_unset) for item in value]
    if isinstance(value, str):
        filled = os.path.expandvars(value)
        if "$" in filled and not keep_unset:
            raise ConfigError(f"{path}: {value!r} names a variable that is not set")
        return filled
    return value
