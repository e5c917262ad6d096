"""Tuning open_clip models with few parameters: put on, fold in, take off, save, load."""

from terraseek_train.peft.apply import apply, eject, merge, peft_state, remove, settle
from terraseek_train.peft.config import KINDS, Kind, PeftConfig
from terraseek_train.peft.store import attach, load, save

__all__ = [
    "KINDS",
    "Kind",
    "PeftConfig",
    "apply",
    "attach",
    "eject",
    "load",
    "merge",
    "peft_state",
    "remove",
    "save",
    "settle",
]
