"""What kind of scene an image shows, as a vector that instructs the image tower."""

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["InstructionEncoder"]


class InstructionEncoder(nn.Module):
    """A frozen scene classifier without its last layer, then a trained linear map to u.

    The backbone stays in evaluation mode, so that its batch statistics do not move.

    Args:
        backbone: images [b, 3, height, width] to pooled features [b, features] (ResNet-50 trained
            on AID's 30 classes in the paper).
        features: length of what the backbone gives (2048).
        dim: length of u: the joint width, or the image tower's for `PriorVision`.
    """

    def __init__(self, backbone: nn.Module, features: int, dim: int) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False).eval()
        self.project = nn.Linear(features, dim)

    def train(self, mode: bool = True) -> "InstructionEncoder":
        """Training mode for all but the backbone."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, pixels: Float[Tensor, "b 3 height width"]) -> Float[Tensor, "b dim"]:
        """The instruction u of each image."""
        u: Tensor = self.project(self.backbone(pixels))
        return u
