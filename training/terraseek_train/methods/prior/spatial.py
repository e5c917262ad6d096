"""Spatial PAE: weight or select image tokens by their belief, the agreement with u."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from terraseek_train.methods.prior.instruction import InstructionEncoder
from terraseek_train.methods.prior.layers import PaeLayer

__all__ = ["OpenDomainVision", "SpatialPae", "belief_matrix", "soft_weights"]

Belief = Literal["hard", "soft"]


def belief_matrix(
    tokens: Float[Tensor, "b n dim"], u: Float[Tensor, "b dim"]
) -> Float[Tensor, "b n"]:
    """Belief matrix M_bel: softmax over tokens l of F_l . u, without 1 / sqrt(dim)."""
    return torch.einsum("bnd,bd->bn", tokens, u).softmax(dim=1)


def soft_weights(
    belief: Float[Tensor, "b n"], release_compatible: bool = False
) -> Float[Tensor, "b n"]:
    """Soft belief M_bel + 1 / sqrt(R), with R the rank of a token in its image, 1 for the highest.

    Equal beliefs are ranked in the order of the tokens. `release_compatible` uses the sorting
    permutation in place of ranks, as the released code does: R of token l is the index of the l-th
    highest token, plus one. No gradient passes through the ranks.
    """
    order = belief.argsort(dim=1, descending=True, stable=True)
    rank = order if release_compatible else order.argsort(dim=1)
    return belief + (rank + 1).to(belief.dtype).rsqrt()


class SpatialPae(nn.Module):
    """Closed-domain head over the tokens of an image tower (PIR; PriorCLIP with soft belief).

    Hard belief keeps the `keep` tokens of highest belief, in that order, and its output is the
    first of them. Soft belief keeps all tokens, re-weighted, and its output is token 0 or, with
    `pool="sum"`, the sum over tokens that the paper prints.

    Args:
        dim: width of tokens and instruction.
        heads: attention heads.
        layers: PAE layers (2).
        keep: number of tokens that hard belief keeps (40), at most all.
        belief: hard as in PIR, or soft as in PriorCLIP.
        pool: output of soft belief.
        release_compatible: see `soft_weights`.
        dropout: dropout probability in every layer.
    """

    def __init__(
        self,
        dim: int = 512,
        heads: int = 8,
        layers: int = 2,
        keep: int = 40,
        belief: Belief = "hard",
        pool: Literal["first", "sum"] = "first",
        release_compatible: bool = False,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PaeLayer(dim, heads, dropout) for _ in range(layers))
        self.head = nn.Linear(dim, dim)
        self.keep = keep
        self.belief: Belief = belief
        self.pool = pool
        self.release_compatible = release_compatible

    def select(
        self, tokens: Float[Tensor, "b n dim"], u: Float[Tensor, "b dim"]
    ) -> Float[Tensor, "b k dim"]:
        """Tokens of highest belief (hard), or all tokens weighted by belief (soft)."""
        belief = belief_matrix(tokens, u)
        if self.belief == "soft":
            return tokens * soft_weights(belief, self.release_compatible)[..., None]
        order = belief.argsort(dim=1, descending=True, stable=True)[:, : self.keep]
        return tokens.gather(1, order[..., None].expand(-1, -1, tokens.shape[2]))

    def forward(
        self, tokens: Float[Tensor, "b n dim"], u: Float[Tensor, "b dim"]
    ) -> Float[Tensor, "b dim"]:
        """Unit vectors v = norm(F_0 + Head(out)).

        Args:
            tokens: projected tokens; token 0 is the mean of the patches, or the class token.
            u: instructions.
        """
        x = self.select(tokens, u)
        condition = u[:, None].expand_as(x)
        for layer in self.layers:
            x = layer(x, condition)
        summed = self.belief == "soft" and self.pool == "sum"
        out = x.sum(dim=1) if summed else x[:, 0]
        return F.normalize(tokens[:, 0] + self.head(out), dim=-1)


class OpenDomainVision(nn.Module):
    """PriorCLIP's open-domain image tower: an open_clip ViT with an instruction token.

    The embedded tokens become x_l <- norm(x_l (b_l + 1 / sqrt(R_l))); u is put before them, and the
    transformer's output at its position is projected. Replaces `model.visual`.

    Args:
        visual: open_clip's `VisionTransformer`, whose parameters are shared.
        instruction: computes u with the width of the transformer.
        release_compatible: permutation instead of ranks, and normalisation over tokens instead of
            features, as in the released code.
    """

    def __init__(
        self,
        visual: Any,  # noqa: ANN401 - open_clip has no types
        instruction: InstructionEncoder,
        release_compatible: bool = False,
    ) -> None:
        super().__init__()
        self.visual = visual
        self.instruction = instruction
        self.release_compatible = release_compatible

    def forward(
        self,
        pixels: Float[Tensor, "b 3 height width"],
        u: Float[Tensor, "b inner"] | None = None,
    ) -> Float[Tensor, "b dim"]:
        """Image features, any length.

        Args:
            pixels: normalised images.
            u: instructions of the images; None computes them from the pixels.
        """
        visual: Any = self.visual
        if u is None:
            u = self.instruction(pixels)
        x = self._embed(pixels)
        weights = soft_weights(belief_matrix(x, u), self.release_compatible)
        x = F.normalize(x * weights[..., None], dim=1 if self.release_compatible else -1)
        x = visual.transformer(torch.cat([u[:, None], x], dim=1))
        features: Tensor = visual.ln_post(x[:, 0]) @ visual.proj
        return features

    def _embed(self, pixels: Float[Tensor, "b 3 height width"]) -> Float[Tensor, "b n inner"]:
        visual: Any = self.visual
        patches = visual.conv1(pixels).flatten(2).mT
        first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        x = torch.cat([first, patches], dim=1) + visual.positional_embedding
        embedded: Tensor = visual.ln_pre(visual.patch_dropout(x))
        return embedded
