"""A batch as tensors on the training device, and the loss of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from terraseek_train.config import TrainConfig
from terraseek_train.data.batch import Batch
from terraseek_train.loop.losses import (
    contrastive_loss,
    distillation_targets,
    mixed_class_loss,
    mixed_targets,
    sentence_vector_loss,
    soft_targets,
)
from terraseek_train.loop.model import ClipWithHeads
from terraseek_train.loop.parallel import ProcessGroup

__all__ = ["DeviceBatch", "objective", "to_device"]


@dataclass(frozen=True)
class DeviceBatch:
    """The local rows of a batch on the training device; `all` counts the rows of all processes."""

    pixels: UInt8[Tensor, "b side side 3"]
    tokens: Int[Tensor, "t context"]
    """The b sentences of the images, then sentences without an image."""
    targets: Float[Tensor, "all all"]
    """Contrastive targets, image to text; rows sum to 1."""
    neutral: Bool[Tensor, "all all"]
    """Pairs that are neither positive nor negative."""
    label: Int[Tensor, " b"]
    """Scene class; -1 for none."""
    source: Int[Tensor, " b"]
    """Data source."""
    partner: Int[Tensor, " b"]
    """Local row of the image that each image is mixed with."""
    lam: Float[Tensor, " b"]
    """Weight of the image itself in the mixture, above 0 to 1; the rest is its partner's."""
    sentence_vectors: Float[Tensor, "t 384"] | None
    """Unit vectors of the sentences by the sentence encoder."""


def to_device(
    batch: Batch, config: TrainConfig, group: ProcessGroup, device: torch.device
) -> DeviceBatch:
    """Move a batch to the device and compute its contrastive targets."""

    def moved(array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        if device.type != "cuda":
            return tensor.to(device)
        return tensor.pin_memory().to(device, non_blocking=True)

    def vectors(array: Any) -> Any:  # noqa: ANN401 - a float16 array or None
        return None if array is None else moved(array).float()

    positive, neutral = moved(batch.positive), moved(batch.neutral)
    targets = soft_targets(positive, neutral, vectors(batch.all_sentence_vectors), config.smoothing)
    count = len(batch.pixels)
    partner, lam = torch.arange(count, device=device), torch.ones(count, device=device)
    if batch.mixup is not None:
        all_partner, all_lam = moved(batch.mixup.partner), moved(batch.mixup.lam)
        targets, neutral = mixed_targets(targets, neutral, positive, all_partner, all_lam)
        local = slice(group.rank * count, (group.rank + 1) * count)
        partner, lam = all_partner[local] - local.start, all_lam[local]
    return DeviceBatch(
        pixels=moved(batch.pixels),
        tokens=moved(batch.tokens),
        targets=targets,
        neutral=neutral,
        label=moved(batch.label),
        source=moved(batch.source),
        partner=partner,
        lam=lam,
        sentence_vectors=vectors(batch.sentence_vectors),
    )


def objective(
    model: ClipWithHeads,
    batch: DeviceBatch,
    image: Float[Tensor, "b dim"],
    text: Float[Tensor, "t dim"],
    class_source: Int[Tensor, " classes"],
    config: TrainConfig,
    group: ProcessGroup,
    scores: Float[Tensor, "all all"] | None = None,
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """Compute the loss that this process minimises, and its terms by name for the log.

    The contrastive term is that of the whole batch. The others are means over the local rows,
    hence divided by the number of processes in the sum.

    Args:
        model: the trained network, for its heads and its temperature.
        batch: the local rows.
        image: image features, any length.
        text: text features, any length.
        class_source: data source of each class.
        config: weights of the terms.
        group: the processes that share the batch.
        scores: scores of the whole batch by the teacher (`distil`), images by sentences; None
            trains without.
    """
    image_unit, text_unit = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
    targets, text_targets = batch.targets, None
    if scores is not None:
        targets, text_targets = distillation_targets(
            targets, scores, batch.neutral, config.distil_share
        )
    contrast = contrastive_loss(
        group.gather(image_unit),
        group.gather(text_unit[: len(image)]),
        group.scale_grad(model.scale()),
        targets,
        batch.neutral,
        text_targets,
    )
    others = {
        "class": config.class_weight
        * mixed_class_loss(
            model.classes(image), batch.label, batch.source, class_source, batch.partner, batch.lam
        )
    }
    if batch.sentence_vectors is not None:
        others["text"] = config.text_weight * sentence_vector_loss(
            model.to_teacher(text_unit), batch.sentence_vectors
        )
        own = batch.sentence_vectors[: len(image)]
        blend = batch.lam[:, None] * own + (1 - batch.lam[:, None]) * own[batch.partner]
        others["image"] = config.image_weight * sentence_vector_loss(
            model.to_teacher(image_unit), blend
        )
    loss = contrast + torch.stack(list(others.values())).sum() / group.world_size
    return loss, {"contrast": contrast, **others}
