"""The loss of the method `contrastive`: pairs, scene classes and sentence vectors."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from terraseek_train.config import TrainConfig
from terraseek_train.loop.device_batch import DeviceBatch
from terraseek_train.loop.losses import (
    contrastive_loss,
    distillation_targets,
    mixed_class_loss,
    sentence_vector_loss,
)
from terraseek_train.loop.model import ClipWithHeads
from terraseek_train.loop.parallel import ProcessGroup

__all__ = ["objective"]


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
