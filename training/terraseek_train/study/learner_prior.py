"""PIR and PriorCLIP as learners: scene knowledge guides the towers, classes attract their kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from terraseek_train.methods.prior import InstructionEncoder, TemporalPae, prior_loss
from terraseek_train.methods.prior.guided import (
    GuideConfig,
    GuidedVision,
    guided_tower,
    instruction_width,
)
from terraseek_train.methods.prior.scene_classes import SceneClassifier
from terraseek_train.methods.prior.store import save_guided
from terraseek_train.methods.tokens import shortened, text_tokens
from terraseek_train.study.base import Base
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

    @property
    def guide(self) -> GuideConfig | None:
        """How pictures are guided, if they are."""
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
        guide = arm.guide
        if guide is not None:
            assert features is not None, "a belief needs scene features"
            inner = instruction_width(model.visual, guide, dim)
            # what the backbone gives is computed once for all cells
            self.instruction = InstructionEncoder(nn.Identity(), features, inner)
            self.tower = guided_tower(model.visual, self.instruction, guide, dim)
            if isinstance(self.tower, GuidedVision):
                self._start(self.tower.spatial.head)
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
        out: Tensor = self.tower(pixels, self.instruction.project(scene))
        return out

    def texts(self, tokens: Int[Tensor, "b length"]) -> Float[Tensor, "b dim"]:
        """Sentence features, after cyclic activation where the arm has it."""
        if not self.arm.temporal:
            return super().texts(tokens)
        _, words = text_tokens(self.model, tokens)
        out: Tensor = self.temporal(words, tokens.argmax(dim=1), tokens != 0)
        return out

    def keep(self, base: Base, instruction: str | None, folder: Path) -> None:
        """Write what was trained, the scene classifier and the tower it guides among it."""
        assert not self.arm.temporal, "no model here has steps behind its text tower"
        guide = self.arm.guide
        if guide is None:
            super().keep(base, instruction, folder)
            return
        assert instruction is not None, "a belief needs a classifier"
        classifier = SceneClassifier.open(Path(instruction))
        save_guided(self.model, self.tower, guide, classifier, base.preprocess, folder)

    def loss(self, batch: StudyBatch) -> Float[Tensor, ""]:
        """Contrast plus affiliation of scene classes."""
        return prior_loss(
            F.normalize(self.images(batch.pixels, batch.scene), dim=-1),
            F.normalize(self.texts(shortened(self.model, batch.tokens)), dim=-1),
            batch.picture,
            batch.label,
            self.scale(),
            weight=self.arm.weight,
            reading=self.arm.reading,
        )
