"""Affiliation (attribution) loss: pulls images to the captions of their scene class, and back."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from terraseek_train.loop.losses import contrastive_loss, soft_targets

__all__ = ["affiliation_loss", "label_from_filename", "prior_loss"]

Reading = Literal["identity", "class"]
"""Targets of the affiliation loss, see `affiliation_loss`."""


def label_from_filename(filename: str) -> str:
    """Scene class by PriorCLIP's rule: the part of the file name before its first underscore."""
    return filename.rsplit("/", 1)[-1].split("_", 1)[0]


def affiliation_loss(
    images: Float[Tensor, "b dim"],
    texts: Float[Tensor, "b dim"],
    label: Int[Tensor, " b"],
    scale: Float[Tensor, ""],
    reading: Reading = "class",
    softmax_over_texts: bool = False,
) -> Float[Tensor, ""]:
    """L_a: cross-entropy of images over text centers and of captions over image centers.

    A center is the mean of the batch's vectors of one class. The reading `identity`, that of the
    released code, repeats the center of a class for each of its rows and takes the row's own copy
    as the target; other copies are negatives, so the loss of n rows of one class is at least log n.
    In the reading `class` each class has one center, and the target is the class.

    Args:
        images: unit rows.
        texts: unit rows of the same pairs.
        label: scene class; rows with a value below 0 have none and are left out.
        scale: inverse temperature.
        reading: see above.
        softmax_over_texts: for `identity` only: in the second direction, softmax over the captions
            of each center, as in PIR, instead of over centers.
    """
    known = label >= 0
    if not bool(known.any()):
        return (images.sum() + texts.sum()) * scale * 0
    images, texts = images[known], texts[known]
    _, member = torch.unique(label[known], return_inverse=True)
    one_hot = F.one_hot(member).to(images.dtype)
    averaging = (one_hot / one_hot.sum(0)).T
    image_centers, text_centers = averaging @ images, averaging @ texts
    target = member
    if reading == "identity":
        image_centers, text_centers = image_centers[member], text_centers[member]
        target = torch.arange(len(member), device=member.device)
    image_logits = scale * images @ text_centers.T
    text_logits = scale * texts @ image_centers.T
    if softmax_over_texts and reading == "identity":
        text_logits = text_logits.T
    return (F.cross_entropy(image_logits, target) + F.cross_entropy(text_logits, target)) / 2


def prior_loss(
    images: Float[Tensor, "b dim"],
    texts: Float[Tensor, "b dim"],
    image: Int[Tensor, " b"],
    label: Int[Tensor, " b"],
    scale: Float[Tensor, ""],
    scale_affiliation: Float[Tensor, ""] | None = None,
    weight: float = 1.0,
    reading: Reading = "identity",
) -> Float[Tensor, ""]:
    """Total loss L_c + lambda L_a of PIR and PriorCLIP.

    Args:
        images: unit rows.
        texts: unit rows of the same pairs.
        image: index of the image; captions of one image are positives of each other.
        label: scene class, below 0 for none.
        scale: inverse temperature of the contrastive loss (learned, initially 1 / 0.07).
        scale_affiliation: inverse temperature of the affiliation loss; None takes `scale`, as
            PriorCLIP does.
        weight: lambda.
        reading: see `affiliation_loss`.
    """
    same = image[:, None] == image[None, :]
    neutral = torch.zeros_like(same)
    targets = soft_targets(same, neutral, None, 0.0).to(images.dtype)
    contrastive = contrastive_loss(images, texts, scale, targets, neutral)
    second = scale if scale_affiliation is None else scale_affiliation
    return contrastive + weight * affiliation_loss(images, texts, label, second, reading)
