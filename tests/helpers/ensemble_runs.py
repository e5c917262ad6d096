"""Folders of runs with a tiny architecture whose networks can form an ensemble, and encoders."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder
from terraseek.files import read_json, sha256_of, write_json

ARCH: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {
        "timm_model_name": "resnet10t",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": 32,
    },
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
MEANS, STDS = (0.37, 0.38, 0.34), (0.19, 0.17, 0.17)


def run(
    folder: Path, seed: int, token_embedding: torch.Tensor | None = None, **changes: Any
) -> Path:
    """Write the folder of a run; as in training, tensors are under `clip.` and beside a head."""
    torch.manual_seed(seed)
    state = dict(build_model(changes.get("arch", ARCH)).state_dict())
    if token_embedding is not None:
        state["token_embedding.weight"] = token_embedding
    folder.mkdir()
    tensors = {f"clip.{key}": value.clone().contiguous() for key, value in state.items()}
    save_file(tensors | {"classes.bias": torch.ones(1)}, folder / "model.safetensors")
    write_json(folder / "config.json", {"arch": ARCH, "means": MEANS, "stds": STDS} | changes)
    return folder


def encoder(folder: Path, side: int = 32) -> OpenClipEncoder:
    """Load the encoder of a run's folder, as shipped."""
    weights = folder / "model.safetensors"
    arch = read_json(folder / "config.json")["arch"]
    file = WeightsFile(str(weights), sha256_of(weights))
    card = ModelCard(folder.name, arch, file, Preprocess(side, MEANS, STDS), arch["embed_dim"])
    return OpenClipEncoder(card, "cpu")
