"""Affiliation (attribution) loss: images near the sentences of their scene class, and back."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from terraseek_train.loop.losses import contrastive_loss, soft_targets

__all__ = ["affiliation_loss", "label_of", "prior_loss"]

Reading = Literal["identity", "class"]


def label_of(filename: str) -> str:
    """Scene class by PriorCLIP's rule: the file name before its first underscore."""
    return filename.rsplit("/", 1)[-1].split("_", 1)[0]


def affiliation_loss(
    images: Float[Tensor, "b dim"],
    texts: Float[Tensor, "b dim"],
    label: Int[Tensor, " b"],
    scale: Float[Tensor, ""],
    reading: Reading = "class",
    over_texts: bool = False,
) -> Float[Tensor, ""]:
    """L_a: cross-entropy of images over text centers and of sentences over image centers.

    A center is the mean of the batch's vectors of one class. In the `identity` reading, that of the
    released code, every row has its own copy of its class's center and is told from the copies of
    its mates, so n rows of one class cost at least log n. In the `class` reading each class has one
    center, and the target is the class.

    Args:
        images: unit rows.
        texts: unit rows of the same pairs.
        label: scene class; rows below 0 have none and are left out.
        scale: inverse temperature.
        reading: see above.
        over_texts: identity only: softmax over the sentences of each center, as PIR has it for the
            second direction, instead of over centers.
    """
    known = label >= 0
    if not bool(known.any()):
        return (images.sum() + texts.sum()) * scale * 0
    images, texts = images[known], texts[known]
    _, member = torch.unique(label[known], return_inverse=True)
    share = F.one_hot(member).to(images.dtype)
    share = (share / share.sum(0)).T
    image_centers, text_centers = share @ images, share @ texts
    target = member
    if reading == "identity":
        image_centers, text_centers = image_centers[member], text_centers[member]
        target = torch.arange(len(member), device=member.device)
    of_images = scale * images @ text_centers.T
    of_texts = scale * texts @ image_centers.T
    if over_texts and reading == "identity":
        of_texts = of_texts.T
    return (F.cross_entropy(of_images, target) + F.cross_entropy(of_texts, target)) / 2


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
    """L_c + lambda L_a of PIR and PriorCLIP.

    Args:
        images: unit rows.
        texts: unit rows of the same pairs.
        image: number of the image; rows of one image share their targets.
        label: scene class, below 0 for none.
        scale: inverse temperature of the contrast (learned, 1 / 0.07 at first).
        scale_affiliation: of the affiliation loss; None takes `scale`, as PriorCLIP does.
        weight: lambda.
        reading: of the affiliation loss.
    """
    same = image[:, None] == image[None, :]
    neutral = torch.zeros_like(same)
    targets = soft_targets(same, neutral, None, 0.0).to(images.dtype)
    contrast = contrastive_loss(images, texts, scale, targets, neutral)
    second = scale if scale_affiliation is None else scale_affiliation
    return contrast + weight * affiliation_loss(images, texts, label, second, reading)
