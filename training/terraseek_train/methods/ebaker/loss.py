"""EBAKER's loss: global and local contrastive loss over kept pairs, and keyword reasoning."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from terraseek_train.methods.ebaker.eliminate import SimilarityBank, keep_rows
from terraseek_train.methods.ebaker.local import local_similarity

__all__ = ["PARTS", "EbakerLoss", "EbakerOptions", "Part", "ebaker_loss", "row_contrastive"]

Part = Literal["local", "ker", "eba"]
PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class EbakerOptions:
    """Weights and parts of EBAKER's loss."""

    alpha: float = 0.5
    """Weight of the keyword loss."""
    scale: float = math.exp(2.996)
    """Inverse temperature, fixed; also applied to local cosines, before their norm."""
    elimination: Literal["joint", "split"] = "joint"
    """`joint`: the local loss drops the same pairs as the global one (EBAKER); `split`: those of a
    separate bank (iEBAKER)."""
    halved: bool = False
    """Mean instead of sum of the two directions; the released code takes the sum."""
    ablate: frozenset[Part] = frozenset()
    """Parts that are left out."""


@dataclass(frozen=True)
class EbakerLoss:
    """The total loss and its parts; a part that is left out is 0."""

    total: Float[Tensor, ""]
    global_part: Float[Tensor, ""]
    local_part: Float[Tensor, ""]
    ker_part: Float[Tensor, ""]
    dropped: int
    """Pairs eliminated from the global part."""


def row_contrastive(
    logits: Float[Tensor, "b b"], keep: Bool[Tensor, " b"], halved: bool = False
) -> Float[Tensor, ""]:
    """InfoNCE over the kept rows in both directions, with all columns (EBAKER, eq. of L_global).

    Dropped pairs remain negatives of the others: an (N - M) x N problem in each direction, with the
    original columns as targets.

    Args:
        logits: scaled similarities, images in rows; true pairs on the diagonal.
        keep: rows that count; at least one.
        halved: mean of the two directions instead of their sum.
    """
    target = keep.nonzero()[:, 0]
    image_to_text = F.cross_entropy(logits[keep], target)
    text_to_image = F.cross_entropy(logits.T[keep], target)
    return (image_to_text + text_to_image) / (2 if halved else 1)


def ebaker_loss(
    images: Float[Tensor, "b dim"],
    texts: Float[Tensor, "b dim"],
    image_local: Float[Tensor, "b patches dim"],
    text_local: Float[Tensor, "b words dim"],
    ker: Float[Tensor, ""] | None = None,
    bank: SimilarityBank | None = None,
    local_bank: SimilarityBank | None = None,
    options: EbakerOptions | None = None,
    valid: Bool[Tensor, "b words"] | None = None,
) -> EbakerLoss:
    """L_global + L_local + alpha L_ker over pairs that are not eliminated; also fills the banks.

    Args:
        images: pooled image features, any length; row i belongs to caption i.
        texts: pooled caption features, any length.
        image_local: patch tokens.
        text_local: word tokens.
        ker: of `KeywordReasoner.loss`.
        bank: of global similarities, with the threshold of this epoch; None drops nothing.
        local_bank: of local similarities, for `elimination="split"`.
        options: weights and parts; None for those of the paper.
        valid: word tokens that count; None counts all.
    """
    chosen = options or EbakerOptions()
    cosine = F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    keep = _keep(cosine.diagonal(), bank, chosen)
    zero = cosine.sum() * 0
    total = global_part = row_contrastive(chosen.scale * cosine, keep, chosen.halved)
    local_part = ker_part = zero
    if "local" not in chosen.ablate:
        logits = local_similarity(image_local, text_local, valid, chosen.scale)
        split = chosen.elimination == "split"
        local_keep = _keep(logits.diagonal() / chosen.scale, local_bank, chosen) if split else keep
        local_part = row_contrastive(logits, local_keep, chosen.halved)
        total = total + local_part
    if ker is not None and "ker" not in chosen.ablate:
        ker_part = ker
        total = total + chosen.alpha * ker
    return EbakerLoss(total, global_part, local_part, ker_part, int((~keep).sum()))


def _keep(
    positive: Float[Tensor, " b"], bank: SimilarityBank | None, options: EbakerOptions
) -> Bool[Tensor, " b"]:
    if bank is None or "eba" in options.ablate:
        return torch.ones_like(positive, dtype=torch.bool)
    bank.push(positive)
    return keep_rows(positive.detach(), bank.threshold)
