"""Retrieval on held-out splits while a model is being trained."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Int32, Int64, UInt8

from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.corpus_text import tokenize
from terraseek_train.data import decoded, read_source
from terraseek_train.evaluate.retrieval import retrieval_score
from terraseek_train.model import Trainee

__all__ = ["Validation", "load_validation", "validate"]


@dataclass(frozen=True)
class Validation:
    """A split ready to be encoded."""

    name: str
    squares: UInt8[np.ndarray, "n side side 3"]
    tokens: Int32[np.ndarray, "m context"]
    image_of: Int64[np.ndarray, " m"]


def load_validation(config: TrainConfig, progress: Progress = silent) -> list[Validation]:
    """The config's validation splits, the deciding one first."""
    wanted = ([config.val] if config.val else []) + list(config.val_extra)
    return [_load(source, config, progress) for source in wanted]


def _load(source: DataSource, config: TrainConfig, progress: Progress) -> Validation:
    samples, content = read_source(source)
    side = int(config.arch["vision_cfg"]["image_size"])
    squares = decoded(source, samples, content, side, Path(config.cache), progress)
    pairs = [(row, text) for row, sample in enumerate(samples) for text in sample.captions]
    context = int(config.arch["text_cfg"]["context_length"])
    tokens = tokenize([text for _, text in pairs], context).astype(np.int32)
    return Validation(source.name, squares, tokens, np.array([row for row, _ in pairs]))


@torch.inference_mode()
def validate(model: Trainee, splits: list[Validation], config: TrainConfig) -> dict[str, Any]:
    """Retrieval scores by split name."""
    model.eval()
    found = {}
    for split in splits:
        images = np.concatenate(
            [
                _images(model, split.squares[i : i + 128], config)
                for i in range(0, len(split.squares), 128)
            ]
        )
        order = np.argsort((split.tokens != 0).sum(1), kind="stable")
        texts = np.empty((len(order), images.shape[1]), np.float32)
        for start in range(0, len(order), 256):
            rows = order[start : start + 256]
            features = model.texts(torch.from_numpy(split.tokens[rows]))
            texts[rows] = F.normalize(features, dim=-1).numpy()
        found[split.name] = asdict(retrieval_score(images, texts, split.image_of))
    return found


def _images(
    model: Trainee, squares: UInt8[np.ndarray, "n side side 3"], config: TrainConfig
) -> np.ndarray:
    pixels = torch.from_numpy(np.ascontiguousarray(squares)).permute(0, 3, 1, 2).float() / 255
    pixels = (pixels - torch.tensor(config.means).view(1, 3, 1, 1)) / torch.tensor(
        config.stds
    ).view(1, 3, 1, 1)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    return np.asarray(F.normalize(model.images(pixels), dim=-1).numpy())
