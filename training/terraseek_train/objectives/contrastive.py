"""The methods `contrastive` and `georsclip`: InfoNCE over whole sentences and images."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from terraseek_train.config import TrainConfig
from terraseek_train.data.corpus import Corpus
from terraseek_train.loop.device_batch import DeviceBatch
from terraseek_train.loop.losses import contrastive_loss, soft_targets
from terraseek_train.loop.model import ClipModel, ClipWithHeads
from terraseek_train.loop.objective import objective
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.methods.options import GeorsclipOptions

__all__ = ["ContrastiveModel", "GeorsclipModel"]


class ContrastiveModel(ClipWithHeads):
    """Contrastive loss with scene classes, sentence vectors and a teacher, as the recipe says."""

    class_source: Tensor

    def __init__(self, config: TrainConfig, corpus: Corpus) -> None:
        super().__init__(config.arch, len(corpus.class_source))
        self.config = config
        # a head whose term is left out is not trained
        self.to_teacher.requires_grad_(config.teacher is not None)
        self.classes.requires_grad_(config.class_weight > 0)
        sources = torch.from_numpy(corpus.class_source)
        self.register_buffer("class_source", sources, persistent=False)

    def loss(
        self,
        batch: DeviceBatch,
        image: Float[Tensor, "b ..."],
        text: Float[Tensor, "rows ..."],
        group: ProcessGroup,
        scores: Float[Tensor, "all all"] | None = None,
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute `objective` of the batch."""
        return objective(self, batch, image, text, self.class_source, self.config, group, scores)


class GeorsclipModel(ClipModel):
    """GeoRSCLIP's full or parameter-efficient tuning: (CE image to text + CE text to image) / 2."""

    def __init__(self, config: TrainConfig, options: GeorsclipOptions) -> None:
        super().__init__(config.arch)
        self.options = options

    def loss(
        self,
        batch: DeviceBatch,
        image: Float[Tensor, "b ..."],
        text: Float[Tensor, "rows ..."],
        group: ProcessGroup,
        scores: Float[Tensor, "all all"] | None = None,
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute InfoNCE over the pairs of all processes."""
        positive = batch.positive
        if not self.options.share_captions:
            positive = torch.eye(len(positive), dtype=torch.bool, device=positive.device)
        neutral = torch.zeros_like(positive)
        scale = self.scale()
        if not self.options.clamped:
            scale = self.clip.logit_scale.exp().reshape(())
        value = contrastive_loss(
            group.gather(F.normalize(image, dim=-1)),
            group.gather(F.normalize(text[: len(image)], dim=-1)),
            group.scale_grad(scale),
            soft_targets(positive, neutral, None, 0.0),
            neutral,
        )
        return value, {"contrast": value}
