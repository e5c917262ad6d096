"""A scene classifier with random weights, and recipes of every method at a tiny size."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from helpers.method_cases import METHODS
from terraseek.files import write_json
from terraseek_train.loop.model import save_weights
from terraseek_train.methods.prior.scene_classifier import make_network


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """Folder of a scene classifier with random weights."""
    torch.manual_seed(1)
    network = make_network("test_resnet", 3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    save_weights(network.state_dict(), tmp_path / "classes" / "model.safetensors")
    facts = {"config": {"model": "test_resnet", "side": 32}, "classes": ["a", "b", "c"]}
    write_json(tmp_path / "classes" / "classifier.json", facts)
    return tmp_path / "classes"


@pytest.fixture
def recipe(settings: dict[str, Any], classifier: Path) -> Any:
    """Function from a case of `METHODS` to the settings of its recipe, as in JSON."""

    def of(case: str, **changes: Any) -> dict[str, Any]:
        found = settings | METHODS[case] | changes
        options = dict(found.get("options", {}))
        if found["method"] in ("pir", "priorclip") and options.get("belief") != "none":
            options["instruction"] = str(classifier)
        return found | {"options": options}

    return of
