"""A batch as tensors on the training device."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from terraseek_train.config import TrainConfig
from terraseek_train.data.batch import Batch
from terraseek_train.loop.losses import mixed_targets, soft_targets
from terraseek_train.loop.parallel import ProcessGroup

__all__ = ["DeviceBatch", "to_device"]


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
    positive: Bool[Tensor, "all all"]
    """Sentence column is true of image row: the same place, or the same sentence."""
    all_place: Int[Tensor, " all"]
    """Equal for images of one place."""
    all_label: Int[Tensor, " all"]
    """Scene class of the images of all processes; -1 for none."""
    text_rows: Int[Tensor, " b"]
    """Rows of the images' sentences in the corpus; on the CPU, where the corpus is."""


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
        positive=positive,
        all_place=moved(batch.all_place),
        all_label=moved(batch.all_label),
        text_rows=torch.from_numpy(batch.text_rows),
    )
