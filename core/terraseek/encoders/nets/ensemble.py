"""Several small CLIPs side by side as one: their mistakes differ, so together they make fewer.

The vectors of all members, each of unit length, stand one after the other and are scaled by the
root of the member's share. A cosine of two such vectors is then the mean of the members' own
cosines, weighted by shares, which is what an ensemble would be asked for; nothing downstream needs
to know. Members see the same pixels, are alike but for their image towers, and share one table of
token embeddings, by far the largest part of a small text tower.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from terraseek.encoders.nets.text_tower import from_words
from terraseek.errors import ConfigError

if TYPE_CHECKING:  # shapes are not checked in tests: `encoders.fuse` traces these methods
    from jaxtyping import Float, Int
    from torch import Tensor, nn

    from terraseek.encoders.nets.hubness import Side

__all__ = ["joined"]


def joined(
    members: Sequence[Any],
    shares: Sequence[float],
    levels: "Mapping[Side, nn.Module] | None" = None,
) -> "nn.Module":
    """Networks as one that has what encoders ask of an open_clip network.

    The members are taken apart and of no use alone afterwards. The result has `visual`, `texts`
    (the members without image tower and token embedding), `token_embedding`, `logit_scale`,
    `encode_image` and `encode_text`; both give unit vectors.

    Args:
        members: open_clip networks with timm image towers whose cells are equally large, and alike
            causal text towers.
        shares: of each member in a cosine; they sum to 1.
        levels: what vectors of images and of sentences are sent through at the end, see
            `encoders.hubs`; None leaves them as they are.

    Raises:
        ConfigError: their image towers are of another kind.
    """
    if not all(hasattr(member.visual, "trunk") for member in members):
        raise ConfigError("only members with timm image towers can be joined")
    network: nn.Module = _clip_kind()(members, [share**0.5 for share in shares], levels or {})
    return network


def _side_by_side(vectors: "list[Tensor]", lengths: Sequence[float]) -> "Float[Tensor, '*n dim']":
    import torch
    import torch.nn.functional as F

    each = zip(vectors, lengths, strict=True)
    return torch.cat([F.normalize(own, dim=-1) * length for own, length in each], dim=-1)


@cache
def _visual_kind() -> Any:  # noqa: ANN401 - a class that exists once torch is loaded
    """The image tower's class, made when first needed: importing this module loads no torch."""
    import torch
    from torch import nn

    class JoinedVisual(nn.Module):
        """Image towers as one whose cells have the channels of all of them.

        It has the parts of open_clip's timm towers (`trunk` up to the cells, `head` after the
        pooling), so that whatever reads cells (dense localization) reads these too.
        """

        def __init__(
            self, towers: Sequence[Any], lengths: Sequence[float], level: nn.Module
        ) -> None:
            super().__init__()
            self.level, self.lengths = level, lengths
            self.parts: Any = nn.ModuleList(towers)
            ends = [0, *accumulate(int(tower.trunk.num_features) for tower in towers)]
            self.channels = [slice(*ends) for ends in pairwise(ends)]
            self.num_features = ends[-1]

        @property
        def trunk(self) -> "JoinedVisual":
            """What makes and pools cells: itself."""
            return self

        def forward_features(self, pixels: "Float[Tensor, 'n 3 s s']") -> "Tensor":
            """Cells [n, c, h, w] of all members, their channels one after the other."""
            return torch.cat([part.trunk.forward_features(pixels) for part in self.parts], dim=1)

        def forward_head(self, cells: "Float[Tensor, 'n c h w']") -> "Tensor":
            """Cells pooled as each member does it, [n, c]."""
            own = zip(self.parts, self.channels, strict=True)
            return torch.cat([part.trunk.forward_head(cells[:, mine]) for part, mine in own], dim=1)

        def head(self, pooled: "Float[Tensor, '*n c']") -> "Tensor":
            """Unit vectors of pooled cells."""
            own = zip(self.parts, self.channels, strict=True)
            alone = [part.head(pooled[..., mine]) for part, mine in own]
            vectors = _side_by_side(alone, self.lengths)
            out: Tensor = self.level(vectors)
            return out

        def forward(self, pixels: "Float[Tensor, 'n 3 s s']") -> "Tensor":
            """Unit vectors of normalised pixels."""
            return self.head(self.forward_head(self.forward_features(pixels)))

    return JoinedVisual


@cache
def _clip_kind() -> Any:  # noqa: ANN401 - see above
    """The network's class."""
    import torch
    from torch import nn

    class JoinedClip(nn.Module):
        """See `joined`."""

        def __init__(
            self,
            members: Sequence[Any],
            lengths: Sequence[float],
            levels: "Mapping[Side, nn.Module]",
        ) -> None:
            super().__init__()
            towers, level = [member.visual for member in members], levels.get("picture")
            self.visual = _visual_kind()(towers, lengths, level or nn.Identity())
            self.lengths = lengths
            self.level = levels.get("sentence", nn.Identity())
            self.token_embedding = members[0].token_embedding
            for member in members:
                del member.visual, member.token_embedding, member.logit_scale
            self.texts: Any = nn.ModuleList(members)
            self.logit_scale = nn.Parameter(torch.zeros(()))

        @property
        def transformer(self) -> "JoinedClip":
            """What holds the blocks that adapters go into: itself."""
            return self

        @property
        def resblocks(self) -> list[Any]:
            """Blocks of all text transformers."""
            return [block for reader in self.texts for block in reader.transformer.resblocks]

        def encode_image(self, pixels: "Float[Tensor, 'n 3 s s']") -> "Tensor":
            """Unit vectors of normalised pixels."""
            vectors: Tensor = self.visual(pixels)
            return vectors

        def encode_text(self, tokens: "Int[Tensor, 't context']") -> "Tensor":
            """Unit vectors of sentences."""
            words = self.token_embedding(tokens)
            alone = [from_words(reader, words, tokens) for reader in self.texts]
            out: Tensor = self.level(_side_by_side(alone, self.lengths))
            return out

    return JoinedClip
