"""PIR and PriorCLIP: prior scene knowledge guides image and text features."""

from terraseek_train.methods.prior.affiliation import (
    affiliation_loss,
    label_from_filename,
    prior_loss,
)
from terraseek_train.methods.prior.instruction import InstructionEncoder
from terraseek_train.methods.prior.layers import CrossLayer, PaeLayer, SelfLayer
from terraseek_train.methods.prior.spatial import (
    OpenDomainVision,
    SpatialPae,
    belief_matrix,
    soft_weights,
)
from terraseek_train.methods.prior.temporal import TemporalPae

__all__ = [
    "CrossLayer",
    "InstructionEncoder",
    "OpenDomainVision",
    "PaeLayer",
    "SelfLayer",
    "SpatialPae",
    "TemporalPae",
    "affiliation_loss",
    "belief_matrix",
    "label_from_filename",
    "prior_loss",
    "soft_weights",
]
