"""PIR and PriorCLIP as learners: scene knowledge guides the towers, classes attract their kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from terraseek_train.methods.prior import (
    InstructionEncoder,
    PriorVision,
    SpatialPae,
    TemporalPae,
    prior_loss,
)
from terraseek_train.methods.tokens import image_tokens, text_tokens
from terraseek_train.study.learner import Learner
from terraseek_train.study.options import MethodOptions
from terraseek_train.study.pairs import StudyBatch

__all__ = ["PriorArm", "PriorLearner"]

_Belief = Literal["none", "hard", "soft", "tower"]


@dataclass(frozen=True)
class PriorArm(MethodOptions):
    """Options of the method `prior`."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "belief": get_args(_Belief),
        "reading": ("identity", "class"),
        "pool": ("first", "sum"),
    }
    belief: _Belief = "none"
    """`hard` is PIR's head over the picture's tokens, `soft` PriorCLIP's; `tower` is PriorCLIP's
    open-domain form, the instruction as a token inside the picture tower."""
    weight: float = 1.0
    """Of the affiliation loss; 0 leaves it out."""
    reading: Literal["identity", "class"] = "identity"
    temporal: bool = False
    """Temporal-PAE over the sentence's tokens, three cyclic steps."""
    keep: int = 40
    """Tokens hard belief keeps."""
    layers: int = 2
    heads: int = 8
    dropout: float = 0.2
    pool: Literal["first", "sum"] = "first"
    zero_heads: bool = True
    """The heads that are added to a tower's feature start at zero, so that training starts from
    the base; PIR, trained from the start, draws them at random."""
    release_compatible: bool = False
    """Sorting permutation for ranks, as released."""


class PriorLearner(Learner):
    """L_c + weight L_a with features that a scene classifier and their own progress guide.

    Args:
        model: an open_clip model; a ViT for the belief `tower`.
        arm: options.
        dim: length of the joint vectors.
        features: length of the scene classifier's features.
    """

    def __init__(self, model: Any, arm: PriorArm, dim: int, features: int | None) -> None:  # noqa: ANN401
        super().__init__(model)
        self.arm = arm
        self.instruction: InstructionEncoder | None = None
        if arm.belief != "none":
            assert features is not None, "a belief needs scene features"
            inner = model.visual.conv1.out_channels if arm.belief == "tower" else dim
            # what the backbone gives is computed once for all cells
            self.instruction = InstructionEncoder(nn.Identity(), features, inner)
        if arm.belief in ("hard", "soft"):
            self.spatial = SpatialPae(
                dim,
                arm.heads,
                arm.layers,
                arm.keep,
                "hard" if arm.belief == "hard" else "soft",
                arm.pool,
                arm.release_compatible,
                arm.dropout,
            )
            self._start(self.spatial.head)
        if arm.belief == "tower":
            assert self.instruction is not None
            self.tower = PriorVision(model.visual, self.instruction, arm.release_compatible)
        if arm.temporal:
            self.temporal = TemporalPae(dim, arm.heads, dropout=arm.dropout)
            self._start(self.temporal.head)

    def _start(self, head: nn.Linear) -> None:
        if self.arm.zero_heads:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def images(
        self, pixels: Float[Tensor, "b 3 side side"], scene: Float[Tensor, "b features"] | None
    ) -> Float[Tensor, "b dim"]:
        """Picture features as the scene's instruction guides them."""
        if self.instruction is None:
            return super().images(pixels, scene)
        assert scene is not None, "a belief needs scene features"
        u = self.instruction.project(scene)
        if self.arm.belief == "tower":
            out: Tensor = self.tower(pixels, u)
            return out
        pooled, local = image_tokens(self.model, pixels)
        guided: Tensor = self.spatial(torch.cat([pooled[:, None], local], dim=1), u)
        return guided

    def texts(self, tokens: Int[Tensor, "b context"]) -> Float[Tensor, "b dim"]:
        """Sentence features, after cyclic activation where the arm has it."""
        if not self.arm.temporal:
            return super().texts(tokens)
        _, words = text_tokens(self.model, tokens)
        out: Tensor = self.temporal(words, tokens.argmax(dim=1), tokens != 0)
        return out

    def loss(self, batch: StudyBatch) -> Float[Tensor, ""]:
        """Contrast plus affiliation of scene classes."""
        return prior_loss(
            F.normalize(self.images(batch.pixels, batch.scene), dim=-1),
            F.normalize(self.texts(batch.tokens), dim=-1),
            batch.picture,
            batch.label,
            self.scale(),
            weight=self.arm.weight,
            reading=self.arm.reading,
        )
