"""Split PriorCLIP's published checkpoints into a plain CLIP and an adapter with the guided tower.

A published state dict has three parts: a CLIP with open_clip's names, the instruction encoder
`res_visual.` (open_clip's ResNet with attention pooling) and the linear map `vision_proj_res` from
its output to u. The CLIP becomes a weights file, the rest an adapter of kind `prior-tower` with the
deviations of the released code (`release_compatible`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from terraseek.encoders.nets.checkpoints import read_state
from terraseek.errors import WeightsLayoutError
from terraseek_train.methods.prior.guided import GuideConfig
from terraseek_train.peft.folder import write_adapter

__all__ = ["make_resnet", "split_released"]

_ENCODER, _PROJECTION = "res_visual.", "vision_proj_res."
_HEAD_WIDTH = 64  # of the attention pooling, as in OpenAI's ResNets


def split_released(checkpoint: Path, out: Path) -> tuple[Path, Path]:
    """Write `out/base.safetensors` and the adapter folder `out/adapter`.

    Args:
        checkpoint: published file; read through the restricted loader.
        out: folder for both.

    Returns:
        The weights file of the base and the adapter's folder.

    Raises:
        WeightsLayoutError: the file is no state dict of PriorCLIP's open-domain model.
    """
    from terraseek_train.loop.model import save_weights

    state = read_state(checkpoint)
    encoder, projection = _part(state, _ENCODER), _part(state, _PROJECTION)
    if not encoder or set(projection) != {"weight", "bias"}:
        raise WeightsLayoutError(
            f"{checkpoint} is no open-domain PriorCLIP: it lacks {_ENCODER}* or "
            f"{_PROJECTION}weight and bias; "
            "a plain CLIP is registered with `terraseek models add NAME --arch ARCH --weights FILE`"
        )
    resnet = _resnet_shape(encoder, checkpoint)
    rest = {k: v.float() for k, v in state.items() if not k.startswith((_ENCODER, _PROJECTION))}
    base, adapter = out / "base.safetensors", out / "adapter"
    save_weights(rest, base)
    guide = {f"guide.instruction.project.{name}": value for name, value in projection.items()}
    tensors = guide | {f"classifier.{name}": value for name, value in encoder.items()}
    config = GuideConfig("tower", release_compatible=True)
    description = {
        "kind": config.kind,
        "peft": None,
        "guide": config.to_json(),
        "classifier": {"resnet": resnet},
    }
    n_trained = sum(value.numel() for value in guide.values())
    write_adapter(adapter, tensors, description, {}, n_trained)
    return base, adapter


def make_resnet(shape: Mapping[str, Any]) -> nn.Module:
    """Untrained instruction encoder with the sizes in a record of `split_released`.

    Its input is the same as the image tower's.
    """
    from open_clip.modified_resnet import ModifiedResNet

    network: nn.Module = ModifiedResNet(
        layers=list(shape["layers"]),
        output_dim=int(shape["output"]),
        heads=int(shape["width"]) * 32 // _HEAD_WIDTH,
        image_size=int(shape["side"]),
        width=int(shape["width"]),
    )
    return network


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    found = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return {k: v.float() if v.is_floating_point() else v for k, v in found.items()}


def _resnet_shape(encoder: Mapping[str, Tensor], checkpoint: Path) -> dict[str, Any]:
    """Sizes that `make_resnet` needs, from the shapes of the tensors."""
    try:
        positions, _ = encoder["attnpool.positional_embedding"].shape
        return {
            "layers": [_blocks(encoder, number) for number in range(1, 5)],
            "width": 2 * encoder["conv1.weight"].shape[0],  # the stem begins with half the width
            "output": encoder["attnpool.c_proj.weight"].shape[0],
            "side": 32 * round((positions - 1) ** 0.5),
        }
    except KeyError as error:
        raise WeightsLayoutError(
            f"{checkpoint}: its {_ENCODER}* is no open_clip ResNet, it lacks {error}"
        ) from error


def _blocks(encoder: Mapping[str, Tensor], layer: int) -> int:
    numbers = {m[1] for key in encoder if (m := re.match(rf"layer{layer}\.(\d+)\.", key))}
    return len(numbers)
