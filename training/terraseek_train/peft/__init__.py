"""Parameter-efficient tuning of open_clip models: apply, merge, eject, remove, save, load."""

from terraseek_train.peft.apply import apply, eject, merge, peft_state, remove
from terraseek_train.peft.config import KINDS, Kind, PeftConfig
from terraseek_train.peft.store import load, save

__all__ = [
    "KINDS",
    "Kind",
    "PeftConfig",
    "apply",
    "eject",
    "load",
    "merge",
    "peft_state",
    "remove",
    "save",
]
