"""Local alignment: similarity of the tokens of images and captions, for all pairs at once."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["combined_scores", "local_scores", "local_similarity"]

_EPSILON = 1e-12  # keeps the gradient of the root finite where all tokens are orthogonal


def local_similarity(
    images: Float[Tensor, "b patches dim"],
    texts: Float[Tensor, "t words dim"],
    valid: Bool[Tensor, "t words"] | None = None,
    scale: float = 1.0,
) -> Float[Tensor, "b t"]:
    """Sim^l of EBAKER: L2 norm over one token axis, then over the other, of C_ij = cos(v_i, t_j).

    Both norms together are the Frobenius norm of V T^t. Its square is <V^t V, T^t T>, so if there
    are more tokens than dimensions, a pair costs dim^2 instead of patches * words * dim products.

    Args:
        images: token vectors of images, any length.
        texts: token vectors of captions, any length.
        valid: text tokens that count; None counts all, with padding, as released.
        scale: factor on C; e^2.996 in the released training code, 1 at inference.

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
    return scale * squares.clamp_min(_EPSILON).sqrt()


@torch.no_grad()
def local_scores(
    images: Float[Tensor, "b patches dim"],
    texts: Float[Tensor, "t words dim"],
    valid: Bool[Tensor, "t words"] | None = None,
    block: int = 1024,
) -> Float[Tensor, "b t"]:
    """`local_similarity` of many images and captions, in blocks, without gradients.

    If Gram matrices are used, only one triangle of each is multiplied, which halves the work. At
    most `block` Gram matrices of images are in memory, 4 * dim^2 / 2 bytes each, and an eighth as
    many of captions.
    """
    patches, dim = images.shape[1:]
    if patches * texts.shape[1] <= dim:
        return _direct_scores(images, texts, valid, block)
    out = images.new_empty(len(images), len(texts))
    step = max(1, block // 8)
    for start in range(0, len(images), block):
        rows = slice(start, start + block)
        left = torch.cat([_triangle(part, None) for part in torch.split(images[rows], step)])
        for at in range(0, len(texts), step):
            columns = slice(at, at + step)
            right = _triangle(texts[columns], None if valid is None else valid[columns])
            out[rows, columns] = (left @ right.T).clamp_min_(_EPSILON).sqrt_()
    return out


def _direct_scores(
    images: Float[Tensor, "b patches dim"],
    texts: Float[Tensor, "t words dim"],
    valid: Bool[Tensor, "t words"] | None,
    block: int,
) -> Float[Tensor, "b t"]:
    step = max(1, block // 8)
    columns = [slice(at, at + step) for at in range(0, len(texts), step)]
    rows = [
        torch.cat(
            [
                local_similarity(part, texts[c], None if valid is None else valid[c])
                for c in columns
            ],
            dim=1,
        )
        for part in torch.split(images, step)
    ]
    return torch.cat(rows)


def _triangle(
    tokens: Float[Tensor, "n places dim"], valid: Bool[Tensor, "n places"] | None
) -> Float[Tensor, "n half"]:
    """Upper triangle of each Gram matrix of unit tokens, scaled for inner products of matrices.

    Values off the diagonal occur twice in the full matrix, so they are scaled by the root of two.
    """
    unit = F.normalize(tokens, dim=-1)
    if valid is not None:
        unit = unit * valid[..., None]
    gram = unit.mT @ unit
    row, column = torch.triu_indices(*gram.shape[1:], device=gram.device)
    half: Tensor = gram.flatten(1)[:, row * gram.shape[2] + column]
    return half.mul_(torch.where(row == column, 1.0, 2.0**0.5).to(half.dtype))


def combined_scores(
    global_scores: Float[Tensor, "b t"],
    local: Float[Tensor, "b t"],
    weights: tuple[float, float] = (0.6, 0.4),
) -> Float[Tensor, "b t"]:
    """EBAKER's score at inference, Sim = 0.6 Sim^g + 0.4 Sim^l.

    Sim^l is a norm and larger than a cosine, so the weights are not the shares of the two parts.
    """
    return weights[0] * global_scores + weights[1] * local
