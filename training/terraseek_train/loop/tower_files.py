"""Published weights of single towers, under the names they have in an open_clip model."""

from collections.abc import Mapping

from torch import Tensor

__all__ = ["bert_state", "timm_state"]

_HEADS = ("head.", "fc.", "classifier.", "head_dist.")
_OLD_NAMES = {".gamma": ".weight", ".beta": ".bias"}


def timm_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the tensors of a timm network as those of `visual`, without its classifier.

    Buffers that the network computes itself, such as Swin's attention masks, are left out.
    """
    computed = ("attn_mask", "relative_position_index")
    return {
        f"visual.trunk.{key}": value
        for key, value in state.items()
        if not key.startswith(_HEADS) and not key.endswith(computed)
    }


def bert_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the tensors of a published BERT as those of `text`; empty if the file holds none.

    The pooler and the heads of its pre-training are left out.
    """
    parts = ("embeddings.", "encoder.")
    found = {}
    for key, value in state.items():
        name = key.removeprefix("bert.")
        if not name.startswith(parts) or name.endswith("position_ids"):
            continue
        for old, new in _OLD_NAMES.items():
            name = name.removesuffix(old) + new if name.endswith(old) else name
        found[f"text.transformer.{name}"] = value
    return found
