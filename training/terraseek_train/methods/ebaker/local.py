"""Likeness of all tokens of a picture to all tokens of a sentence, for all pairs at once."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["combined_scores", "local_scores", "local_similarity"]

_TINY = 1e-12  # keeps the root's gradient finite where no token resembles any


def local_similarity(
    images: Float[Tensor, "b patches dim"],
    texts: Float[Tensor, "t words dim"],
    valid: Bool[Tensor, "t words"] | None = None,
    scale: float = 1.0,
) -> Float[Tensor, "b t"]:
    """Sim^l of EBAKER: L2 norm over one token axis, then over the other, of C_ij = cos(v_i, t_j).

    Both norms together are the Frobenius norm of V T^t. Its square is <V^t V, T^t T>, so where the
    tokens outnumber the dimensions, a pair costs dim^2 instead of patches * words * dim products.

    Args:
        images: token vectors of pictures, any length.
        texts: token vectors of sentences, any length.
        valid: tokens that count; None counts all, padding too, as released.
        scale: factor on C; released training code has e^2.996 here, inference 1.

    Returns:
        0 .. scale * sqrt(patches * words); not a cosine.
    """
    left, right = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)
    if valid is not None:
        right = right * valid[..., None]
    patches, dim = images.shape[1:]
    if patches * texts.shape[1] > dim:
        gram_left = (left.mT @ left).flatten(1)
        gram_right = (right.mT @ right).flatten(1)
        squares = gram_left @ gram_right.T
    else:
        squares = torch.einsum("bpd,twd->btpw", left, right).square().sum((2, 3))
    return scale * squares.clamp_min(_TINY).sqrt()


@torch.no_grad()
def local_scores(
    images: Float[Tensor, "b patches dim"],
    texts: Float[Tensor, "t words dim"],
    valid: Bool[Tensor, "t words"] | None = None,
    block: int = 400,
) -> Float[Tensor, "b t"]:
    """`local_similarity` of many pictures and sentences, `block` by `block`, without gradients."""
    rows = []
    for start in range(0, len(images), block):
        part = images[start : start + block]
        row = [
            local_similarity(
                part, texts[at : at + block], None if valid is None else valid[at : at + block]
            )
            for at in range(0, len(texts), block)
        ]
        rows.append(torch.cat(row, dim=1))
    return torch.cat(rows)


def combined_scores(
    global_scores: Float[Tensor, "b t"],
    local: Float[Tensor, "b t"],
    weights: tuple[float, float] = (0.6, 0.4),
) -> Float[Tensor, "b t"]:
    """Sim = 0.6 Sim^g + 0.4 Sim^l, EBAKER's score at inference.

    A norm is larger than a cosine, so the weights do not say how much each part contributes.
    """
    return weights[0] * global_scores + weights[1] * local
