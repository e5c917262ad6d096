"""PIR and PriorCLIP in a study: guided towers and affiliation loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from terraseek_train.methods.prior import InstructionEncoder, TemporalPae, prior_loss
from terraseek_train.methods.prior.guided import (
    ClosedDomainVision,
    GuideConfig,
    build_guided_tower,
    instruction_width,
)
from terraseek_train.methods.prior.scene_classifier import SceneClassifier
from terraseek_train.methods.prior.store import save_guided
from terraseek_train.methods.tokens import text_tokens, trim_caption_padding
from terraseek_train.study.inputs.base import BaseModel
from terraseek_train.study.inputs.dataset import StudyBatch
from terraseek_train.study.models.contrastive import ContrastiveModel
from terraseek_train.study.models.options import MethodOptions

__all__ = ["PriorMethodOptions", "PriorModel"]

_Belief = Literal["none", "hard", "soft", "tower"]


@dataclass(frozen=True)
class PriorMethodOptions(MethodOptions):
    """Options of the method `prior`."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "belief": get_args(_Belief),
        "reading": ("identity", "class"),
        "pool": ("first", "sum"),
    }
    belief: _Belief = "none"
    """`hard`: PIR's head over the image tokens; `soft`: PriorCLIP's; `tower`: PriorCLIP's
    open-domain form, where the instruction is a token inside the image tower."""
    weight: float = 1.0
    """Weight of the affiliation loss; 0 leaves it out."""
    reading: Literal["identity", "class"] = "identity"
    """Targets of the affiliation loss, see `affiliation_loss`."""
    temporal: bool = False
    """Temporal-PAE over the caption's tokens, three cyclic steps."""
    keep: int = 40
    """Number of tokens that hard belief keeps."""
    layers: int = 2
    heads: int = 8
    dropout: float = 0.2
    pool: Literal["first", "sum"] = "first"
    zero_heads: bool = True
    """Whether the heads added to a tower's features start at zero, so that training starts from the
    base; PIR, trained from scratch, initialises them at random."""
    release_compatible: bool = False
    """Sorting permutation in place of ranks, as in the released code."""

    @property
    def guide(self) -> GuideConfig | None:
        """Config of the guided image tower; None without one."""
        if self.belief == "none":
            return None
        return GuideConfig(
            self.belief,
            self.heads,
            self.layers,
            self.keep,
            self.pool,
            self.dropout,
            self.release_compatible,
        )


class PriorModel(ContrastiveModel):
    """L_c + weight L_a, with Spatial-PAE on images and Temporal-PAE on captions as options say.

    Args:
        model: an open_clip model; a ViT for the belief `tower`.
        options: of the method.
        dim: width of the joint space.
        features: length of the scene classifier's features.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - open_clip has no types
        options: PriorMethodOptions,
        dim: int,
        features: int | None,
    ) -> None:
        super().__init__(model)
        self.options = options
        self.instruction: InstructionEncoder | None = None
        guide = options.guide
        if guide is not None:
            assert features is not None, "a belief needs scene features"
            inner = instruction_width(model.visual, guide, dim)
            # the backbone's features are computed once for all runs
            self.instruction = InstructionEncoder(nn.Identity(), features, inner)
            self.tower = build_guided_tower(model.visual, self.instruction, guide, dim)
            if isinstance(self.tower, ClosedDomainVision):
                self._init_head(self.tower.spatial.head)
        if options.temporal:
            self.temporal = TemporalPae(dim, options.heads, dropout=options.dropout)
            self._init_head(self.temporal.head)

    def _init_head(self, head: nn.Linear) -> None:
        if self.options.zero_heads:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def encode_images(
        self, pixels: Float[Tensor, "b 3 side side"], scene: Float[Tensor, "b features"] | None
    ) -> Float[Tensor, "b dim"]:
        """Image features, guided by the scene instruction if the arm has a belief."""
        if self.instruction is None:
            return super().encode_images(pixels, scene)
        assert scene is not None, "a belief needs scene features"
        out: Tensor = self.tower(pixels, self.instruction.project(scene))
        return out

    def encode_texts(self, tokens: Int[Tensor, "b length"]) -> Float[Tensor, "b dim"]:
        """Caption features, after Temporal-PAE if the arm has it."""
        if not self.options.temporal:
            return super().encode_texts(tokens)
        _, words = text_tokens(self.model, tokens)
        out: Tensor = self.temporal(words, tokens.argmax(dim=1), tokens != 0)
        return out

    def save_adapter(self, base: BaseModel, instruction: str | None, folder: Path) -> None:
        """Save the trained parameters, with the scene classifier and the guided tower."""
        assert not self.options.temporal, "an adapter cannot hold a Temporal-PAE"
        guide = self.options.guide
        if guide is None:
            super().save_adapter(base, instruction, folder)
            return
        assert instruction is not None, "a belief needs a classifier"
        classifier = SceneClassifier.open(Path(instruction))
        save_guided(self.model, self.tower, guide, classifier, base.preprocess, folder)

    def loss(self, batch: StudyBatch) -> Float[Tensor, ""]:
        """Contrastive loss plus affiliation loss."""
        return prior_loss(
            F.normalize(self.encode_images(batch.pixels, batch.scene_features), dim=-1),
            F.normalize(self.encode_texts(trim_caption_padding(self.model, batch.tokens)), dim=-1),
            batch.image_row,
            batch.label,
            self.inverse_temperature(),
            weight=self.options.weight,
            reading=self.options.reading,
        )
