"""An ensemble of several small CLIP networks as one network.

The unit vectors of all members are concatenated, each scaled by the square root of the member's
weight. The cosine of two such vectors is therefore the weighted mean of the members' own cosines,
and the rest of the code needs no special case for ensembles. All members see the same pixels,
differ only in their image towers, and share one table of token embeddings, by far the largest part
of a small text tower.

The attribute names `parts`, `texts` and `level` are part of the keys in published weights files.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from terraseek.encoders.nets.hubness import Modality
from terraseek.encoders.nets.text_tower import encode_embeddings
from terraseek.errors import ConfigError

if TYPE_CHECKING:  # types are not checked in tests: `nets.fuse` traces these methods
    from jaxtyping import Float, Int
    from torch import Tensor

__all__ = ["EnsembleClip", "EnsembleVisual", "build_ensemble"]


def build_ensemble(
    members: Sequence[Any],
    weights: Sequence[float],
    corrections: Mapping[Modality, nn.Module] | None = None,
) -> "EnsembleClip":
    """Combine networks into one; the members are taken apart and unusable on their own afterwards.

    Args:
        members: open_clip networks with timm image towers of equal feature cells, and causal text
            towers of one architecture.
        weights: weight of each member in the cosine; they sum to 1.
        corrections: hubness corrections of image and text vectors; None for none.

    Raises:
        ConfigError: an image tower is not one of timm.
    """
    if not all(hasattr(member.visual, "trunk") for member in members):
        raise ConfigError("only members with timm image towers can form an ensemble")
    return EnsembleClip(members, [weight**0.5 for weight in weights], corrections or {})


def _concatenate(vectors: "list[Tensor]", lengths: Sequence[float]) -> "Float[Tensor, '*n dim']":
    scaled = zip(vectors, lengths, strict=True)
    return torch.cat([F.normalize(one, dim=-1) * length for one, length in scaled], dim=-1)


class EnsembleVisual(nn.Module):
    """Image towers as one tower whose feature cells have the channels of all of them.

    It has the parts of open_clip's timm towers (`trunk` up to the feature map, `head` after the
    pooling), so that dense localization can read its feature map, too.
    """

    def __init__(
        self, towers: Sequence[Any], lengths: Sequence[float], correction: nn.Module
    ) -> None:
        """Combine `towers`, whose vectors are scaled to `lengths` and then corrected."""
        super().__init__()
        self.level, self.lengths = correction, lengths
        self.parts: Any = nn.ModuleList(towers)
        ends = [0, *accumulate(int(tower.trunk.num_features) for tower in towers)]
        self.channels = [slice(*pair) for pair in pairwise(ends)]
        self.num_features = ends[-1]

    @property
    def trunk(self) -> "EnsembleVisual":
        """The part that computes and pools the feature map: this module itself."""
        return self

    def forward_features(self, pixels: "Float[Tensor, 'n 3 s s']") -> "Tensor":
        """Compute the feature maps [n, c, h, w] of all members, concatenated by channel."""
        return torch.cat([part.trunk.forward_features(pixels) for part in self.parts], dim=1)

    def forward_head(self, cells: "Float[Tensor, 'n c h w']") -> "Tensor":
        """Pool a feature map to [n, c], each member's channels in its own way."""
        members = zip(self.parts, self.channels, strict=True)
        pooled = [part.trunk.forward_head(cells[:, channels]) for part, channels in members]
        return torch.cat(pooled, dim=1)

    def head(self, pooled: "Float[Tensor, '*n c']") -> "Tensor":
        """Project pooled features to unit vectors."""
        members = zip(self.parts, self.channels, strict=True)
        projected = [part.head(pooled[..., channels]) for part, channels in members]
        out: Tensor = self.level(_concatenate(projected, self.lengths))
        return out

    def forward(self, pixels: "Float[Tensor, 'n 3 s s']") -> "Tensor":
        """Compute unit vectors of normalised pixels."""
        return self.head(self.forward_head(self.forward_features(pixels)))


class EnsembleClip(nn.Module):
    """An ensemble with the interface encoders use of an open_clip network; see `build_ensemble`.

    `encode_image` and `encode_text` give unit vectors. `texts` are the members without image tower
    and token embedding.
    """

    def __init__(
        self,
        members: Sequence[Any],
        lengths: Sequence[float],
        corrections: Mapping[Modality, nn.Module],
    ) -> None:
        """Take `members` apart; `lengths` are the square roots of their weights."""
        super().__init__()
        towers = [member.visual for member in members]
        self.visual = EnsembleVisual(towers, lengths, corrections.get("image", nn.Identity()))
        self.lengths = lengths
        self.level = corrections.get("text", nn.Identity())
        self.token_embedding = members[0].token_embedding
        for member in members:
            del member.visual, member.token_embedding, member.logit_scale
        self.texts: Any = nn.ModuleList(members)
        self.logit_scale = nn.Parameter(torch.zeros(()))

    @property
    def transformer(self) -> "EnsembleClip":
        """The module that holds the blocks adapters attach to: this module itself."""
        return self

    @property
    def resblocks(self) -> list[Any]:
        """Blocks of the text transformers of all members."""
        return [block for tower in self.texts for block in tower.transformer.resblocks]

    def encode_image(self, pixels: "Float[Tensor, 'n 3 s s']") -> "Tensor":
        """Compute unit vectors of normalised pixels."""
        vectors: Tensor = self.visual(pixels)
        return vectors

    def encode_text(self, tokens: "Int[Tensor, 't context']") -> "Tensor":
        """Compute unit vectors of sentences."""
        embeddings = self.token_embedding(tokens)
        vectors = [encode_embeddings(tower, embeddings, tokens) for tower in self.texts]
        out: Tensor = self.level(_concatenate(vectors, self.lengths))
        return out
