"""Instruction encoder of PIR and PriorCLIP: scene knowledge as a vector u for the image tower."""

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["InstructionEncoder"]


class InstructionEncoder(nn.Module):
    """Frozen scene classifier without its last layer, then a trained linear map to u.

    The backbone stays in evaluation mode, so that its batch statistics do not change.

    Args:
        backbone: from images [b, 3, height, width] to pooled features [b, features] (in the paper a
            ResNet-50 trained on AID's 30 classes).
        features: length of the backbone's features (2048 in the paper).
        dim: length of u: width of the joint space, or of the image tower for `OpenDomainVision`.
    """

    def __init__(self, backbone: nn.Module, features: int, dim: int) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        self.project = nn.Linear(features, dim)

    def train(self, mode: bool = True) -> "InstructionEncoder":
        """Set training mode for everything except the backbone."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, pixels: Float[Tensor, "b 3 height width"]) -> Float[Tensor, "b dim"]:
        """Instruction u of each image."""
        u: Tensor = self.project(self.backbone(pixels))
        return u
