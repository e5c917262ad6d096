"""Retrieval and zero-shot classification on validation sets during training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int32, Int64, UInt8
from torch import Tensor

from terraseek.errors import ConfigError
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.data.read_source import decode_source, read_source
from terraseek_train.data.sources import Sample
from terraseek_train.data.sources.templates import concept_of, concept_texts
from terraseek_train.data.text_table import tokenize
from terraseek_train.evaluate.retrieval import Retrieved
from terraseek_train.loop.classified import Classified, classify
from terraseek_train.loop.model import ClipModel

__all__ = ["ValidationSet", "load_validation", "validate"]


@dataclass(frozen=True)
class ValidationSet:
    """Decoded images and tokenized captions of a split, or prompts of its scene classes."""

    name: str
    squares: UInt8[np.ndarray, "n side side 3"]
    tokens: Int32[np.ndarray, "m context"]
    image_of: Int64[np.ndarray, " m"]
    """Image row of every caption; the class of every prompt where there are labels."""
    labels: Int64[np.ndarray, " n"] | None = None
    """Class of every image of a set without captions."""


def load_validation(config: TrainConfig, progress: Progress = silent) -> list[ValidationSet]:
    """Load the validation sets of a config; the best weights are chosen on the first.

    A set without captions is classified, by its labels and the sentences that training has for
    images without captions.

    Raises:
        ConfigError: an image has neither a caption nor a label that there are sentences for.
    """
    wanted = ([config.val] if config.val else []) + list(config.val_extra)
    return [_load(source, config, progress) for source in wanted]


def _load(source: DataSource, config: TrainConfig, progress: Progress) -> ValidationSet:
    samples, content = read_source(source)
    side = int(config.arch["vision_cfg"]["image_size"])
    squares = decode_source(source, samples, content, side, Path(config.cache), progress)
    pairs = [(row, text) for row, sample in enumerate(samples) for text in sample.captions]
    labels = None
    if not pairs:
        concepts = [_concept(source, sample) for sample in samples]
        names = sorted(set(concepts))
        labels = np.array([names.index(name) for name in concepts])
        pairs = [(row, text) for row, name in enumerate(names) for text in concept_texts(name)]
    tokens = tokenize([text for _, text in pairs], config.arch).astype(np.int32)
    image_of = np.array([row for row, _ in pairs])
    return ValidationSet(source.name, squares, tokens, image_of, labels)


def _concept(source: DataSource, sample: Sample) -> str:
    concept = concept_of(sample.label)
    if concept is None:
        raise ConfigError(
            f"validation set {source.name}: no words for {sample.image}, label {sample.label!r}; "
            "give a caption file, or name its folder after a known scene class"
        )
    return concept


@torch.inference_mode()
def validate(
    model: ClipModel, val_sets: list[ValidationSet], config: TrainConfig
) -> dict[str, Retrieved | Classified]:
    """Retrieve on each validation set with the scores of the method; results by name of the set.

    A class scores the mean of its sentences in a set that has labels in place of captions.
    """
    model.eval()
    device = model.scale().device
    mean, std = (
        torch.tensor(v, device=device).view(1, 3, 1, 1) * 255 for v in (config.means, config.stds)
    )
    found: dict[str, Retrieved | Classified] = {}
    for val_set in val_sets:
        images = torch.cat(
            [
                model.encode_pixels(_on(device, val_set.squares[i : i + 128]), mean, std)
                for i in range(0, len(val_set.squares), 128)
            ]
        )
        order = np.argsort((val_set.tokens != 0).sum(1), kind="stable")
        tokens = model.trimmed(_on(device, val_set.tokens))
        texts = torch.cat(
            [
                model.encode_texts(tokens[_on(device, order[start : start + 256])])
                for start in range(0, len(order), 256)
            ]
        )
        by_row = texts[_on(device, np.argsort(order))]
        if val_set.labels is None:
            found[val_set.name] = model.retrieve(images, by_row, tokens, val_set.image_of)
            continue
        scores = model.scores(images, by_row, tokens).float().cpu().numpy()
        found[val_set.name] = classify(scores, val_set.image_of, val_set.labels)
    return found


def _on(device: torch.device, array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array)).to(device)  # a copy: the array may be a mapped file
