"""Training losses and their targets; pure functions, tested against float64 loops.

Throughout, row i of a target matrix is an image and column j a sentence. A *positive* pair is
true; a *neutral* pair is neither a positive nor a negative and takes no part in the loss.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "class_loss",
    "contrastive_loss",
    "distillation_targets",
    "mixed_class_loss",
    "mixed_targets",
    "sentence_vector_loss",
    "soft_targets",
]

_MASKED = -1e4
"""Logit of a masked entry: its softmax is 0, yet it is finite, so that 0 * logit stays 0."""


def soft_targets(
    positive: Bool[Tensor, "b b"],
    neutral: Bool[Tensor, "b b"],
    sentence_vectors: Float[Tensor, "b 384"] | None,
    smoothing: float,
    temperature: float = 0.05,
) -> Float[Tensor, "b b"]:
    """Compute contrastive targets smoothed by the similarity of sentences.

    A row spreads 1 - `smoothing` evenly over its positive pairs. The rest follows the softmax of
    the cosines of the row's sentence with all sentences of the batch; without sentence vectors it
    is spread evenly (label smoothing). Neutral pairs get 0.

    Args:
        positive: sentence column is true of image row.
        neutral: pairs that are neither positive nor negative.
        sentence_vectors: unit vectors of the sentences by the sentence encoder.
        smoothing: share of a row that is not on its positive pairs, 0-1.
        temperature: of the softmax over cosines.

    Returns:
        Probabilities; every row sums to 1.
    """
    hard = positive.float() / positive.sum(1, keepdim=True)
    logits = torch.zeros_like(hard)
    if sentence_vectors is not None:
        logits = sentence_vectors @ sentence_vectors.T / temperature
    soft = F.softmax(logits.masked_fill(neutral, _MASKED), dim=1)
    return (1 - smoothing) * hard + smoothing * soft


def mixed_targets(
    targets: Float[Tensor, "b b"],
    neutral: Bool[Tensor, "b b"],
    positive: Bool[Tensor, "b b"],
    partner: Int[Tensor, " b"],
    lam: Float[Tensor, " b"],
) -> tuple[Float[Tensor, "b b"], Bool[Tensor, "b b"]]:
    """Combine the targets of images that were mixed (mixup, CutMix) with a partner image.

    Args:
        targets: of the unmixed images; rows sum to 1.
        neutral: neutral pairs of the unmixed images.
        positive: positive pairs of the unmixed images.
        partner: row of the other image.
        lam: weight of the image itself, 1 where it is not mixed.

    Returns:
        Targets whose rows sum to 1, and neutral pairs: those of either image, except sentences
        that are true of the image itself.
    """
    is_mixed = (lam < 1)[:, None]
    out = (neutral | (is_mixed & neutral[partner])) & ~positive
    weight = lam[:, None]
    mixed = (weight * targets + (1 - weight) * targets[partner]).masked_fill(out, 0)
    return mixed / mixed.sum(1, keepdim=True), out


def distillation_targets(
    targets: Float[Tensor, "b b"],
    scores: Float[Tensor, "b b"],
    neutral: Bool[Tensor, "b b"],
    weight: float,
) -> tuple[Float[Tensor, "b b"], Float[Tensor, "b b"]]:
    """Blend known targets with the softmax of a trained encoder's scores, in both directions.

    Distillation of similarities (Hinton et al. 2015, eq. 1, at the teacher's own temperature): a
    sentence that was drawn for one image of the batch can be true of several.

    Args:
        targets: of the known pairs; rows sum to 1.
        scores: the teacher's cosines times its inverse temperature, images by sentences.
        neutral: pairs that get 0 in the teacher's softmax.
        weight: of the teacher's softmax, 0-1.

    Returns:
        Targets image to text and text to image, rows summing to 1; rows of the second are
        sentences.
    """
    masked = scores.masked_fill(neutral, _MASKED)
    image_to_text = (1 - weight) * targets + weight * F.softmax(masked, dim=1)
    text_to_image = (1 - weight) * _transposed(targets) + weight * F.softmax(masked.T, dim=1)
    return image_to_text, text_to_image


def _transposed(targets: Float[Tensor, "b b"]) -> Float[Tensor, "b b"]:
    """Transpose targets and scale the rows to sum to 1."""
    return targets.T / targets.T.sum(1, keepdim=True)


def contrastive_loss(
    images: Float[Tensor, "b dim"],
    texts: Float[Tensor, "b dim"],
    scale: Float[Tensor, ""],
    targets: Float[Tensor, "b b"],
    neutral: Bool[Tensor, "b b"],
    text_targets: Float[Tensor, "b b"] | None = None,
) -> Float[Tensor, ""]:
    """Compute symmetric InfoNCE with several positive pairs per row.

    The mean of two cross-entropies of softmax(scale * cosine) against the targets: images over
    texts, and texts over images. Neutral pairs are in no denominator.

    Args:
        images: unit rows.
        texts: unit rows; row i was drawn for image i.
        scale: inverse temperature.
        targets: image to text; rows sum to 1.
        neutral: pairs (image row, text column) that are neither positive nor negative.
        text_targets: text to image, rows are texts and sum to 1; None takes the transpose of
            `targets` with its rows scaled to sum to 1.
    """
    logits = (scale * images @ texts.T).masked_fill(neutral, _MASKED)
    if text_targets is None:
        text_targets = _transposed(targets)
    image_to_text = -(targets * F.log_softmax(logits, dim=1)).sum(1).mean()
    text_to_image = -(text_targets * F.log_softmax(logits.T, dim=1)).sum(1).mean()
    return (image_to_text + text_to_image) / 2


def class_loss(
    logits: Float[Tensor, "b classes"],
    label: Int[Tensor, " b"],
    source: Int[Tensor, " b"],
    class_source: Int[Tensor, " classes"],
    smoothing: float = 0.1,
    weight: Float[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """Compute the cross-entropy over the classes of each image's own data source.

    Sources overlap in meaning ("forest" is in three), so a class of another source is not a wrong
    answer and is masked.

    Args:
        logits: of the classes of all sources.
        label: class of each image; rows with -1 (unlabelled) are left out.
        source: data source of each image.
        class_source: data source of each class.
        smoothing: label smoothing, 0-1.
        weight: multiplies the terms of the rows before their mean.
    """
    labelled = label >= 0
    if not bool(labelled.any()):
        return logits.sum() * 0
    foreign = class_source[None, :] != source[labelled][:, None]
    masked = logits[labelled].masked_fill(foreign, _MASKED)
    log_probs = F.log_softmax(masked, dim=1)
    hit = log_probs.gather(1, label[labelled][:, None].long())[:, 0]
    uniform = log_probs.masked_fill(foreign, 0).sum(1) / (~foreign).sum(1)
    terms = (1 - smoothing) * hit + smoothing * uniform
    return -(terms if weight is None else terms * weight[labelled]).mean()


def mixed_class_loss(
    logits: Float[Tensor, "b classes"],
    label: Int[Tensor, " b"],
    source: Int[Tensor, " b"],
    class_source: Int[Tensor, " classes"],
    partner: Int[Tensor, " b"],
    lam: Float[Tensor, " b"],
) -> Float[Tensor, ""]:
    """Compute the class loss of mixed images: `lam` times their own plus the partner's rest."""
    first = class_loss(logits, label, source, class_source, weight=lam)
    if bool((lam == 1).all()):
        return first
    second = class_loss(logits, label[partner], source[partner], class_source, weight=1 - lam)
    return first + second


def sentence_vector_loss(
    mapped: Float[Tensor, "n 384"], sentence_vectors: Float[Tensor, "n 384"]
) -> Float[Tensor, ""]:
    """Compute the mean of 1 - cosine between mapped features and sentence vectors."""
    return (1 - F.cosine_similarity(mapped, sentence_vectors, dim=1)).mean()
