"""PIR and PriorCLIP: prior knowledge of scenes guides image and sentence features."""

from terraseek_train.methods.prior.affiliation import affiliation_loss, label_of, prior_loss
from terraseek_train.methods.prior.instruction import InstructionEncoder
from terraseek_train.methods.prior.layers import CrossLayer, PaeLayer, SelfLayer
from terraseek_train.methods.prior.spatial import (
    PriorVision,
    SpatialPae,
    belief_matrix,
    soft_weights,
)
from terraseek_train.methods.prior.temporal import TemporalPae

__all__ = [
    "CrossLayer",
    "InstructionEncoder",
    "PaeLayer",
    "PriorVision",
    "SelfLayer",
    "SpatialPae",
    "TemporalPae",
    "affiliation_loss",
    "belief_matrix",
    "label_of",
    "prior_loss",
    "soft_weights",
]
