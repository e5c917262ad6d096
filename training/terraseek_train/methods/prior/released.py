"""PriorCLIP's published checkpoints: taken apart into a plain CLIP and a guided tower on top of it.

The released code keeps three things in one state dict: a CLIP in open_clip's names, the instruction
encoder `res_visual.` (open_clip's ResNet with attention pooling) and the map `vision_proj_res` from
its output to u. The CLIP becomes a weights file of its own, the rest an adapter of kind
`prior-tower` with the released deviations (`release_compatible`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from terraseek.encoders.nets.checkpoints import read_state
from terraseek.errors import WeightsLayoutError
from terraseek.files import atomic_path, sha256_of, write_json
from terraseek_train.methods.prior.guided import GuideConfig
from terraseek_train.peft.store import FORMAT, JSON, PRIOR, WEIGHTS

__all__ = ["make_resnet", "split_released"]

_EYE, _MAP = "res_visual.", "vision_proj_res."
_HEAD_WIDTH = 64  # of the attention pooling, as in OpenAI's ResNets


def split_released(checkpoint: Path, out: Path) -> tuple[Path, Path]:
    """Write `out/base.safetensors` and the adapter folder `out/adapter`.

    Args:
        checkpoint: published file; read through the restricted loader.
        out: folder for both.

    Returns:
        The weights file of the base and the adapter's folder.

    Raises:
        WeightsLayoutError: it is no state dict, or not one of PriorCLIP's open-domain model.
    """
    from safetensors.torch import save_file

    from terraseek_train.loop.model import save_weights

    state = read_state(checkpoint)
    eye, mapped = _part(state, _EYE), _part(state, _MAP)
    if not eye or set(mapped) != {"weight", "bias"}:
        raise WeightsLayoutError(
            f"{checkpoint} is no open-domain PriorCLIP: it lacks {_EYE}* or {_MAP}weight and bias; "
            "a plain CLIP is registered with `terraseek models add NAME --arch ARCH --weights FILE`"
        )
    network = _shape(eye, checkpoint)
    rest = {k: v.float() for k, v in state.items() if not k.startswith((_EYE, _MAP))}
    base, adapter = out / "base.safetensors", out / "adapter"
    save_weights(rest, base)
    guide = {f"guide.instruction.project.{name}": value for name, value in mapped.items()}
    kept = guide | {f"classifier.{name}": value for name, value in eye.items()}
    with atomic_path(adapter / WEIGHTS) as part:
        save_file({name: value.contiguous() for name, value in kept.items()}, part)
    record = {
        "format": FORMAT,
        "config": {
            "kind": f"{PRIOR}tower",
            "peft": None,
            "guide": GuideConfig("tower", release_compatible=True).to_json(),
            "classifier": {"resnet": network},
        },
        "towers": {},
        "parameters": sum(value.numel() for value in guide.values()),
        "sha256": sha256_of(adapter / WEIGHTS),
    }
    write_json(adapter / JSON, record)
    return base, adapter


def make_resnet(shape: Mapping[str, Any]) -> nn.Module:
    """The untrained instruction encoder of a shape that `split_released` found; it sees the pixels
    the image tower sees.
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


def _shape(eye: Mapping[str, Tensor], checkpoint: Path) -> dict[str, Any]:
    """What `make_resnet` needs, read off the tensors."""
    try:
        places, _ = eye["attnpool.positional_embedding"].shape
        return {
            "layers": [_blocks(eye, number) for number in range(1, 5)],
            "width": 2 * eye["conv1.weight"].shape[0],  # the stem begins with half of it
            "output": eye["attnpool.c_proj.weight"].shape[0],
            "side": 32 * round((places - 1) ** 0.5),
        }
    except KeyError as error:
        raise WeightsLayoutError(
            f"{checkpoint}: its {_EYE}* is no open_clip ResNet, it lacks {error}"
        ) from error


def _blocks(eye: Mapping[str, Tensor], layer: int) -> int:
    numbers = {m[1] for key in eye if (m := re.match(rf"layer{layer}\.(\d+)\.", key))}
    return len(numbers)
