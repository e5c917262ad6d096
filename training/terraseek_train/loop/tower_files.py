"""Published weights of single towers, under the names they have in an open_clip model."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from terraseek.encoders.nets.minilm import bert_keys
from terraseek.errors import WeightsLayoutError

__all__ = ["bert_state", "lite_state", "minilm_state", "timm_state"]

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


def lite_state(
    state: Mapping[str, Tensor], trunk: Mapping[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """Name the tensors of published EfficientNet-Lite weights as those of timm's network.

    The files of its authors hold the same tensors in the same order under other names, and the
    classifier after them. Files with timm's own names are taken by name.

    Args:
        state: as published.
        trunk: of the network without classifier.
        path: of the file, for the message.

    Raises:
        WeightsLayoutError: a tensor is missing or has another shape.
    """
    by_name = set(trunk) <= set(state)
    values = [state[name] for name in trunk] if by_name else list(state.values())[: len(trunk)]
    shapes = [tuple(value.shape) for value in values]
    for (name, target), shape in zip(trunk.items(), shapes, strict=False):
        if target.shape != shape:
            raise WeightsLayoutError(
                f"{path} has {shape} for {name} {tuple(target.shape)}; give the published weights "
                "of the image tower that arch names"
            )
    if len(values) < len(trunk):
        raise WeightsLayoutError(
            f"{path} has {len(values)} tensors, and the image tower {len(trunk)}; give its "
            "published weights"
        )
    return dict(zip(trunk, values, strict=True))


def minilm_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the tensors of the published MiniLM as those of `LiteClip`; empty if it is another."""
    if "embeddings.word_embeddings.weight" not in state:
        return {}
    return {f"text.reader.{key}": value for key, value in bert_keys(state).items()}
