"""Attach an adapter folder of any kind to a base model.

An adapter is either of a `terraseek_train.peft` kind (LoRA, prefix tuning, ...) or a guided image
tower of PIR or PriorCLIP (`terraseek_train.methods.prior.store`). Core calls `attach` through the
entry point `terraseek.adapters`.
"""

from pathlib import Path

from torch import nn

from terraseek_train.methods.prior.store import attach_guided, is_guided
from terraseek_train.peft import store
from terraseek_train.peft.folder import read_record

__all__ = ["attach"]


def attach(model: nn.Module, path: Path) -> None:
    """Attach the adapter in the folder `path` to the base `model` for inference.

    What can be merged into the weights is merged, prefixes are ejected, and afterwards no parameter
    requires gradients. An adapter of PIR or PriorCLIP also replaces the image tower by a guided
    one.

    Args:
        model: an open_clip CLIP or CustomTextCLIP, changed in place.
        path: adapter folder.

    Raises:
        TerraSeekError: the folder is incomplete or damaged, or does not fit this base; see
            `terraseek_train.peft.load`.
    """
    record = read_record(path)
    if is_guided(record):
        attach_guided(model, record, path)
    else:
        store.attach(model, path, record)
