"""Parameter-efficient fine-tuning of open_clip models: apply, merge, remove, save, load."""

from terraseek_train.peft.apply import (
    apply,
    eject,
    fold_for_inference,
    merge,
    peft_state,
    reads_padding,
    remove,
)
from terraseek_train.peft.config import KINDS, Kind, PeftConfig
from terraseek_train.peft.store import attach, load, save

__all__ = [
    "KINDS",
    "Kind",
    "PeftConfig",
    "apply",
    "attach",
    "eject",
    "fold_for_inference",
    "load",
    "merge",
    "peft_state",
    "reads_padding",
    "remove",
    "save",
]
