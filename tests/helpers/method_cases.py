"""Settings of every training method at a tiny size, and a scene classifier for those with one."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from terraseek.files import write_json
from terraseek_train.loop.model import save_weights
from terraseek_train.methods.prior.scene_classifier import make_network

EBAKER: dict[str, Any] = {"heads": 2, "depth": 1, "keywords": 4, "first_epoch": 1}
GUIDED: dict[str, Any] = {"heads": 2, "layers": 1, "keep": 3, "zero_heads": False}
METHODS: dict[str, dict[str, Any]] = {
    "contrastive": {"method": "contrastive"},
    "georsclip": {"method": "georsclip"},
    "ebaker": {"method": "ebaker", "options": {**EBAKER, "drop_ratio": 0.4}},
    "ebaker released": {
        "method": "ebaker",
        "options": {**EBAKER, "vocabulary": "hidden", "release_compatible": True},
    },
    "ebaker split": {"method": "ebaker", "options": {**EBAKER, "elimination": "split"}},
    "pir": {"method": "pir", "options": GUIDED},
    "priorclip": {"method": "priorclip", "options": {}},
    "priorclip closed": {"method": "priorclip", "options": {**GUIDED, "belief": "soft"}},
    "affiliation alone": {"method": "priorclip", "options": {"belief": "none"}},
}
"""Name of a case to the settings of its recipe."""


def random_classifier(folder: Path) -> Path:
    """Write a scene classifier with random weights into a folder."""
    torch.manual_seed(1)
    network = make_network("test_resnet", 3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    save_weights(network.state_dict(), folder / "model.safetensors")
    facts = {"config": {"model": "test_resnet", "side": 32}, "classes": ["a", "b", "c"]}
    write_json(folder / "classifier.json", facts)
    return folder
