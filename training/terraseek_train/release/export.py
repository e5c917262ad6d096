"""Export a checkpoint folder as TerraSeek ships it: float16 or int8 weights and a model card."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile
from terraseek.encoders.nets.checkpoints import clip_state
from terraseek.encoders.nets.int8_storage import quantize_state
from terraseek.files import read_json, sha256_of, write_json
from terraseek_train.loop.model import save_weights

__all__ = ["export", "write_card"]

_INT8_PREFIX = "text.reader."
"""MiniLM's matrices: vectors of int8 weights have a cosine of at least .9994 to the exact ones."""


def export(checkpoint: Path, name: str, out: Path, facts: Mapping[str, Any]) -> ModelCard:
    """Write `out/weights/NAME.safetensors` and `out/cards/NAME.json`.

    Args:
        checkpoint: folder of a training run.
        name: name of the model.
        out: folder with `weights` and `cards`.
        facts: further fields of the card (title, scores, licence, limitations ...).
    """
    stored = load_file(checkpoint / "model.safetensors")
    clip = clip_state(stored)
    weights = out / "weights" / f"{name}.safetensors"
    save_weights(quantize_state(clip, lambda key: key.startswith(_INT8_PREFIX)), weights)
    config = read_json(checkpoint / "config.json")
    card = ModelCard(
        name=name,
        architecture=config["arch"],
        weights=WeightsFile(weights.name, sha256_of(weights), weights.stat().st_size),
        preprocess=Preprocess(
            int(config["arch"]["vision_cfg"]["image_size"]),
            tuple(config["means"]),
            tuple(config["stds"]),
        ),
        embed_dim=int(config["arch"]["embed_dim"]),
        context_length=int(config["arch"]["text_cfg"]["context_length"]),
        parameters=sum(t.numel() for key, t in clip.items() if _is_parameter(key)),
        **facts,
    )
    write_card(card, out / "cards")
    return card


def write_card(card: ModelCard, folder: Path) -> Path:
    """Write a card to `NAME.json`; returns the file."""
    path = folder / f"{card.name}.json"
    write_json(path, card.to_json())
    return path


def _is_parameter(key: str) -> bool:
    """Whether a tensor is a parameter, not a statistic of a batch norm or a vocabulary."""
    return not key.endswith(("running_mean", "running_var", "num_batches_tracked", "vocabulary"))
