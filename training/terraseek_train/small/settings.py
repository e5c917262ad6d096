"""Settings of a training run, read from a JSON recipe whose unknown keys are errors."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from terraseek.errors import ConfigError
from terraseek.files import read_json
from terraseek_train.config import DataSource, expand_variables

__all__ = ["CONTEXT", "Settings", "load_settings", "minilm_sizes", "vocabulary_bytes"]

CONTEXT = 128
"""Largest number of tokens of a sentence, as sentence-transformers publishes the encoder."""


@dataclass(frozen=True)
class Settings:
    """Everything a run depends on besides the data files."""

    out: str
    data: tuple[DataSource, ...]
    minilm: str
    """Folder with `model.safetensors`, `config.json` and `vocab.txt` of all-MiniLM-L6-v2."""
    tower: str = "efficientnet_lite0"
    """Name of the trunk in timm; `efficientnet_lite1` and `_lite2` are larger."""
    trunk: str | None = None
    """Published `.pth` of that trunk; None starts from random weights, for tests."""
    cache: str = "runs/small-cache"
    init: str | None = None
    """Folder of a run whose weights are the start."""
    init_text: str | None = None
    """Folder of a run, with any image tower, whose text head is the start."""
    val: DataSource | None = None
    teacher: str | None = None
    """Registered encoder whose scores are part of the targets."""
    teacher_run: str | None = None
    """Folder of an earlier run of the same architecture, which teaches with equal weight."""
    teacher_share: float = 0.3
    teacher_scale: float = 30.0
    """Factor of its cosines before the softmax."""
    similarity_share: float = 0.1
    """Share of the targets given to similar sentences, by MiniLM's cosines."""
    similarity_scale: float = 14.0
    levels: tuple[int, ...] = (0, 2, 4, 6)
    """Layers of MiniLM whose means the text head reads."""
    dim: int = 384
    hidden: int = 512
    side: int = 128
    """Pixels of a training view."""
    frozen_blocks: int = 2
    """Number of first blocks of the trunk that are frozen, with the stem."""
    stored_views: int = 0
    """Views whose maps after the frozen blocks are computed once (`small.maps`); 0 stores none."""
    maps: str | None = None
    """Folder of these maps, which several runs may share; None is the folder of the run."""
    steps: int = 1000
    stop: int | None = None
    """Step to stop at, before the end of the learning rate schedule."""
    batch: int = 96
    others: int = 800
    """Sentences of other images, as further negatives of each image."""
    queue: int = 2048
    """Vectors of earlier images, as further negatives of each sentence."""
    replay: int = 0
    """Steps of only the heads after each step, on features of the last images of the queue."""
    lr: float = 4e-4
    head_lr: float = 1e-3
    decay: float = 0.8
    """Factor of the learning rate from a block to the one before."""
    warmup: int = 60
    final_lr: float = 0.01
    weight_decay: float = 0.05
    ema: float = 0.995
    class_weight: float = 0.3
    dropout: float = 0.1
    plain_share: float = 0.0
    """Share of views of captioned images that are only cropped, turned and mirrored."""
    plain_area: tuple[float, float] = (0.6, 1.0)
    """Smallest and largest share of the image's area that these show."""
    template_share: float = 0.3
    """Share of views of labelled, captioned images that get a class sentence besides."""
    seed: int = 0
    threads: int = 1
    save_seconds: float = 180.0

    def __post_init__(self) -> None:
        if self.teacher_share + self.similarity_share >= 1:
            raise ConfigError(
                f"teacher_share {self.teacher_share} and similarity_share {self.similarity_share} "
                "must leave a share to the matching pairs; make their sum less than 1"
            )

    @property
    def arch(self) -> dict[str, Any]:
        """Architecture without hubness correction, as `encoders.nets.build` reads it."""
        return {
            "embed_dim": self.dim,
            "vision_cfg": {"timm_model_name": self.tower, "hidden": self.hidden},
            "text_cfg": {
                "minilm": {"levels": list(self.levels), **minilm_sizes(Path(self.minilm))},
                "hidden": self.hidden,
                "context_length": CONTEXT,
                "vocabulary_bytes": len(vocabulary_bytes(Path(self.minilm))),
            },
        }


def load_settings(path: Path) -> Settings:
    """Read the settings of a recipe and fill in environment variables.

    Raises:
        ConfigError: a key is unknown or missing, or a variable is not set.
    """
    values: dict[str, Any] = dict(expand_variables(read_json(path), path))
    known = {field.name for field in fields(Settings)}
    if unknown := sorted(set(values) - known):
        raise ConfigError(f"{path} has unknown keys {unknown}; known are {', '.join(known)}")
    if missing := sorted({"out", "data", "minilm"} - set(values)):
        raise ConfigError(f"{path} lacks {missing}; add them to the recipe")
    values["data"] = tuple(_source(entry) for entry in values["data"])
    if values.get("val"):
        values["val"] = _source(values["val"])
    for name in ("levels", "plain_area"):
        if name in values:
            values[name] = tuple(values[name])
    return Settings(**values)


def _source(entry: dict[str, Any]) -> DataSource:
    area = {"area": tuple(entry["area"])} if "area" in entry else {}
    return DataSource(**(entry | area))


def minilm_sizes(folder: Path) -> dict[str, int]:
    """Read the sizes of the sentence encoder in a folder, as arguments of `MiniLM`."""
    values = read_json(folder / "config.json")
    return {
        "vocab_size": int(values["vocab_size"]),
        "width": int(values["hidden_size"]),
        "layers": int(values["num_hidden_layers"]),
        "heads": int(values["num_attention_heads"]),
        "positions": int(values["max_position_embeddings"]),
    }


def vocabulary_bytes(folder: Path) -> bytes:
    """Read MiniLM's `vocab.txt`, without the last line end."""
    return (folder / "vocab.txt").read_bytes().replace(b"\r\n", b"\n").rstrip(b"\n")
