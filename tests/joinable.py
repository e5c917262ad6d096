"""A tiny architecture whose networks can stand side by side, and an encoder of a run's folder."""

from pathlib import Path
from typing import Any

from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile
from terraseek.encoders.open_clip_encoder import OpenClipEncoder
from terraseek.files import read_json, sha256_of

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


def encoder(folder: Path, side: int = 32) -> OpenClipEncoder:
    """What is shipped of a run's folder."""
    weights = folder / "model.safetensors"
    arch = read_json(folder / "config.json")["arch"]
    file = WeightsFile(str(weights), sha256_of(weights))
    card = ModelCard(folder.name, arch, file, Preprocess(side, MEANS, STDS), arch["embed_dim"])
    return OpenClipEncoder(card, "cpu")
