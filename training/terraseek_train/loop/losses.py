"""What the towers are asked to do; every function is pure and tested against float64 loops."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "class_loss",
    "contrastive_loss",
    "mixed_class_loss",
    "mixed_targets",
    "soft_targets",
    "taught_targets",
    "teacher_loss",
]

_FAR = -1e4  # a logit that is nobody's answer, yet finite, so that 0 * logit stays 0


def soft_targets(
    same: Bool[Tensor, "b b"],
    neutral: Bool[Tensor, "b b"],
    teacher: Float[Tensor, "b 384"] | None,
    share: float,
    temperature: float = 0.05,
) -> Float[Tensor, "b b"]:
    """Rows of target probabilities: `1 - share` on all true pairs, `share` by sentence likeness.

    Likeness is the softmax of the teacher's cosines over the sentences of the batch; without a
    teacher that share is spread evenly (label smoothing). Neutral pairs get nothing.
    """
    hard = same.float() / same.sum(1, keepdim=True)
    likeness = torch.zeros_like(hard) if teacher is None else teacher @ teacher.T / temperature
    soft = F.softmax(likeness.masked_fill(neutral, _FAR), dim=1)
    return (1 - share) * hard + share * soft


def mixed_targets(
    targets: Float[Tensor, "b b"],
    neutral: Bool[Tensor, "b b"],
    same: Bool[Tensor, "b b"],
    partner: Int[Tensor, " b"],
    own: Float[Tensor, " b"],
) -> tuple[Float[Tensor, "b b"], Bool[Tensor, "b b"]]:
    """Targets and neutral pairs of images that hold a share `own` of themselves, else a partner.

    A sentence that is neither right nor wrong for one of the two parts stays out, unless it is
    true of the larger one. Rows of targets stay row-stochastic.
    """
    blended = (own < 1)[:, None]
    out = (neutral | (blended & neutral[partner])) & ~same
    share = own[:, None]
    mixed = (share * targets + (1 - share) * targets[partner]).masked_fill(out, 0)
    return mixed / mixed.sum(1, keepdim=True), out


def taught_targets(
    targets: Float[Tensor, "b b"],
    scores: Float[Tensor, "b b"],
    neutral: Bool[Tensor, "b b"],
    share: float,
) -> tuple[Float[Tensor, "b b"], Float[Tensor, "b b"]]:
    """Targets of which a finished encoder says a share, images over texts and texts over images.

    Distillation of similarities (Hinton et al. 2015, eq. 1, with the encoder's own temperature):
    a sentence true of several images of the batch, drawn for one, is no plain mistake.

    Args:
        targets: row-stochastic, of pairs that are known.
        scores: the finished encoder's cosines times its inverse temperature, images by sentences.
        neutral: pairs that get nothing.
        share: of the finished encoder's softmax in the targets.

    Returns:
        Both directions, rows summing to 1; rows of the second are sentences.
    """
    said = scores.masked_fill(neutral, _FAR)
    there = (1 - share) * targets + share * F.softmax(said, dim=1)
    return there, (1 - share) * _turned(targets) + share * F.softmax(said.T, dim=1)


def _turned(targets: Float[Tensor, "b b"]) -> Float[Tensor, "b b"]:
    """Targets of the other direction, rows summing to 1 again."""
    return targets.T / targets.T.sum(1, keepdim=True)


def contrastive_loss(
    images: Float[Tensor, "b dim"],
    texts: Float[Tensor, "b dim"],
    scale: Float[Tensor, ""],
    targets: Float[Tensor, "b b"],
    neutral: Bool[Tensor, "b b"],
    other: Float[Tensor, "b b"] | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE with several true pairs a row.

    Cross-entropy of softmax(scale * cosine) against `targets`, images over texts and texts over
    images, halved. Neutral pairs are in no denominator.

    Args:
        images: unit rows.
        texts: unit rows; row i was drawn for image i.
        scale: inverse temperature.
        targets: row-stochastic.
        neutral: pairs (image row, text column) that are neither right nor wrong.
        other: targets of the other direction, rows are texts; None takes the transpose of
            `targets`, scaled to be row-stochastic.
    """
    logits = (scale * images @ texts.T).masked_fill(neutral, _FAR)
    if other is None:
        other = _turned(targets)
    there = -(targets * F.log_softmax(logits, dim=1)).sum(1).mean()
    back = -(other * F.log_softmax(logits.T, dim=1)).sum(1).mean()
    return (there + back) / 2


def class_loss(
    logits: Float[Tensor, "b classes"],
    label: Int[Tensor, " b"],
    source: Int[Tensor, " b"],
    class_source: Int[Tensor, " classes"],
    smoothing: float = 0.1,
    weight: Float[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """Cross-entropy over the classes of each image's own source; unlabelled rows are left out.

    Sources overlap in meaning ("forest" is in three), so a class of another source is no mistake.
    `weight` multiplies the rows' terms before their mean.
    """
    labelled = label >= 0
    if not bool(labelled.any()):
        return logits.sum() * 0
    foreign = class_source[None, :] != source[labelled][:, None]
    chosen = logits[labelled].masked_fill(foreign, _FAR)
    chances = F.log_softmax(chosen, dim=1)
    hit = chances.gather(1, label[labelled][:, None].long())[:, 0]
    spread = chances.masked_fill(foreign, 0).sum(1) / (~foreign).sum(1)
    terms = (1 - smoothing) * hit + smoothing * spread
    return -(terms if weight is None else terms * weight[labelled]).mean()


def mixed_class_loss(
    logits: Float[Tensor, "b classes"],
    label: Int[Tensor, " b"],
    source: Int[Tensor, " b"],
    class_source: Int[Tensor, " classes"],
    partner: Int[Tensor, " b"],
    own: Float[Tensor, " b"],
) -> Float[Tensor, ""]:
    """Class loss of images that hold a share `own` of themselves and the rest of a partner."""
    first = class_loss(logits, label, source, class_source, weight=own)
    if bool((own == 1).all()):
        return first
    other = class_loss(logits, label[partner], source[partner], class_source, weight=1 - own)
    return first + other


def teacher_loss(
    mapped: Float[Tensor, "n 384"], teacher: Float[Tensor, "n 384"]
) -> Float[Tensor, ""]:
    """Mean of 1 - cosine between mapped features and the teacher's vectors."""
    return (1 - F.cosine_similarity(mapped, teacher, dim=1)).mean()
