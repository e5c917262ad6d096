"""The scene classifier whose features instruct PIR and PriorCLIP.

The papers take a ResNet-50 trained on AID's 30 classes; any timm network does here. On disk it is a
folder with `classifier.json` and `model.safetensors`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from terraseek.encoders.base import fit_square
from terraseek.errors import ConfigError, WeightsNotFoundError
from terraseek.files import read_json
from terraseek.progress import Progress, silent

__all__ = ["MEAN", "STD", "SceneClassifier", "make_network", "normalize"]

MEAN, STD = (0.37, 0.38, 0.34), (0.19, 0.17, 0.17)
"""Mean and standard deviation of the classifier's input, R, G, B on the scale 0 to 1."""
_BATCH = 256


class SceneClassifier:
    """A trained scene classifier; its pooled features are used, not its class scores.

    Args:
        network: timm network with its last layer.
        classes: class names, in the order of its outputs.
        side: side of its input in pixels.
        name: timm's name of the network.
    """

    def __init__(
        self,
        network: Any,  # noqa: ANN401
        classes: tuple[str, ...],
        side: int,
        name: str,
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.name = name
        self.classes = classes
        self.side = side

    @classmethod
    def open(cls, folder: Path) -> "SceneClassifier":
        """Open a folder that `train_classifier` wrote.

        Raises:
            WeightsNotFoundError: the folder holds no classifier.
        """
        from safetensors.torch import load_file

        if not (folder / "classifier.json").is_file():
            raise WeightsNotFoundError(
                f"{folder} holds no classifier.json; `terraseek-train instruction CONFIG` makes one"
            )
        facts = read_json(folder / "classifier.json")
        name = facts["config"]["model"]
        network = make_network(name, len(facts["classes"]))
        network.load_state_dict(load_file(folder / "model.safetensors"))
        return cls(network, tuple(facts["classes"]), int(facts["config"]["side"]), name)

    def backbone(self) -> nn.Module:
        """Module from pixels to pooled features, as `InstructionEncoder` takes it."""
        return _PooledFeatures(self.network)

    @property
    def width(self) -> int:
        """Length of the features."""
        return int(self.network.num_features)

    @torch.inference_mode()
    def features(
        self, images: UInt8[np.ndarray, "n side side 3"], progress: Progress = silent
    ) -> Float32[np.ndarray, "n features"]:
        """Pooled features of square RGB images of any side."""
        backbone, blocks = self.backbone(), []
        for start in range(0, len(images), _BATCH):
            small = np.stack([fit_square(s, self.side) for s in images[start : start + _BATCH]])
            blocks.append(backbone(normalize(small)).numpy())
            progress("scene features", start, len(images))
        found: Float32[np.ndarray, "n features"] = np.concatenate(blocks)
        return found


class _PooledFeatures(nn.Module):
    def __init__(self, network: Any) -> None:  # noqa: ANN401 - timm has no types
        super().__init__()
        self.network = network

    def forward(self, pixels: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b features"]:
        maps = self.network.forward_features(pixels)
        out: Tensor = self.network.forward_head(maps, pre_logits=True)
        return out


def make_network(name: str, classes: int) -> Any:  # noqa: ANN401
    """Untrained timm network.

    Raises:
        ConfigError: timm has no network of this name.
    """
    import timm

    try:
        return timm.create_model(name, pretrained=False, num_classes=classes)
    except RuntimeError as error:
        raise ConfigError(f"timm has no network {name!r}: {error}") from error


def normalize(images: UInt8[np.ndarray, "b side side 3"]) -> Float[Tensor, "b 3 side side"]:
    """Input of the classifier from RGB images 0..255."""
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    pixels = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 255
    return ((pixels - mean) / std).contiguous()
