"""A batch as tensors, and what the towers are asked to do with it."""

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
    mixed_class_loss,
    mixed_targets,
    soft_targets,
    taught_targets,
    teacher_loss,
)
from terraseek_train.loop.model import Trainee
from terraseek_train.loop.parallel import Team

__all__ = ["Ready", "objective", "ready"]


@dataclass(frozen=True)
class Ready:
    """A batch on the device it is learnt on."""

    pixels: UInt8[Tensor, "b side side 3"]
    tokens: Int[Tensor, "t context"]
    """The b sentences of the images, then those without one."""
    targets: Float[Tensor, "all all"]
    neutral: Bool[Tensor, "all all"]
    label: Int[Tensor, " b"]
    source: Int[Tensor, " b"]
    partner: Int[Tensor, " b"]
    own: Float[Tensor, " b"]
    """Share of an image that is its own; the rest is its partner's."""
    teacher: Float[Tensor, "t 384"] | None


def ready(batch: Batch, config: TrainConfig, team: Team, device: torch.device) -> Ready:
    """Bring a batch to the device and make its contrastive targets."""

    def moved(array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(array)
        if device.type != "cuda":
            return tensor.to(device)
        return tensor.pin_memory().to(device, non_blocking=True)

    def vectors(array: Any) -> Any:  # noqa: ANN401 - a float16 array or None
        return None if array is None else moved(array).float()

    same, neutral = moved(batch.same), moved(batch.neutral)
    targets = soft_targets(same, neutral, vectors(batch.teacher_all), config.smoothing)
    count = len(batch.pixels)
    partner, own = torch.arange(count, device=device), torch.ones(count, device=device)
    if batch.mixed is not None:
        whole_partner, whole_own = moved(batch.mixed.partner), moved(batch.mixed.own)
        targets, neutral = mixed_targets(targets, neutral, same, whole_partner, whole_own)
        mine = slice(team.rank * count, (team.rank + 1) * count)
        partner, own = whole_partner[mine] - mine.start, whole_own[mine]
    return Ready(
        pixels=moved(batch.pixels),
        tokens=moved(batch.tokens),
        targets=targets,
        neutral=neutral,
        label=moved(batch.label),
        source=moved(batch.source),
        partner=partner,
        own=own,
        teacher=vectors(batch.teacher),
    )


def objective(
    model: Trainee,
    batch: Ready,
    image: Float[Tensor, "b dim"],
    text: Float[Tensor, "t dim"],
    class_source: Int[Tensor, " classes"],
    config: TrainConfig,
    team: Team,
    scores: Float[Tensor, "all all"] | None = None,
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """The loss to be minimised by this process, and its parts by name for the log.

    The contrastive part is already that of the whole batch, the others are means over this
    process's part of it, hence divided by the number of processes in the sum. `scores` are what a
    finished encoder (`distil`) says of the whole batch, images by sentences.
    """
    image_unit, text_unit = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
    targets, other = batch.targets, None
    if scores is not None:
        targets, other = taught_targets(targets, scores, batch.neutral, config.distil_share)
    contrast = contrastive_loss(
        team.gather(image_unit),
        team.gather(text_unit[: len(image)]),
        team.share(model.scale()),
        targets,
        batch.neutral,
        other,
    )
    others = {
        "class": config.class_weight
        * mixed_class_loss(
            model.classes(image), batch.label, batch.source, class_source, batch.partner, batch.own
        )
    }
    if batch.teacher is not None:
        others["text"] = config.text_weight * teacher_loss(
            model.to_teacher(text_unit), batch.teacher
        )
        said = batch.teacher[: len(image)]
        blend = batch.own[:, None] * said + (1 - batch.own[:, None]) * said[batch.partner]
        others["image"] = config.image_weight * teacher_loss(model.to_teacher(image_unit), blend)
    loss = contrast + torch.stack(list(others.values())).sum() / team.size
    return loss, {"contrast": contrast, **others}
