"""PIR and PriorCLIP on disk: an adapter folder that also holds the guide and its scene classifier.

The files are those of `terraseek_train.peft.folder`; the kind is `prior-hard`, `prior-soft` or
`prior-tower` (see `GuideConfig.kind`). Tensor names begin with `model.` (what was trained of the
base), `guide.` or `classifier.`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from terraseek.encoders.cards import Preprocess
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek_train.methods.prior.guided import (
    KIND_PREFIX,
    GuideConfig,
    RenormalizedBackbone,
    build_guided_tower,
    instruction_width,
)
from terraseek_train.methods.prior.instruction import InstructionEncoder
from terraseek_train.methods.prior.released import make_resnet
from terraseek_train.methods.prior.scene_classifier import SceneClassifier, make_network
from terraseek_train.methods.tokens import joint_width
from terraseek_train.peft import apply, fold_for_inference, peft_state
from terraseek_train.peft.config import PeftConfig
from terraseek_train.peft.folder import (
    RECORD,
    WEIGHTS,
    first_mismatch,
    parameter_count,
    write_adapter,
)
from terraseek_train.peft.store import trained_tensors

__all__ = ["attach_guided", "is_guided", "save_guided"]


def is_guided(record: Mapping[str, Any]) -> bool:
    """Whether the record of an adapter folder describes a guided image tower."""
    return str(record["config"].get("kind", "")).startswith(KIND_PREFIX)


def save_guided(
    model: nn.Module,
    tower: nn.Module,
    config: GuideConfig,
    classifier: SceneClassifier,
    prepare: Preprocess,
    path: Path,
) -> None:
    """Write what `attach_guided` needs besides the base into the folder `path`.

    Args:
        model: the fine-tuned open_clip model, with its own image tower.
        tower: of `build_guided_tower` around `model.visual`.
        config: of the tower.
        classifier: whose features instructed the tower.
        prepare: preprocessing of the tower's images.
        path: the folder.

    Raises:
        ConfigError: nothing was applied to the model.
    """
    state = peft_state(model)
    if state is None:
        raise ConfigError("the model carries no adapter, so there is none to save; apply one first")
    trained = {f"model.{name}": value for name, value in trained_tensors(model).items()}
    trained |= {f"guide.{name}": value for name, value in _guide_tensors(tower).items()}
    fixed = {f"classifier.{name}": v for name, v in classifier.network.state_dict().items()}
    description = {
        "kind": config.kind,
        "peft": state.config.to_json(),
        "guide": config.to_json(),
        "classifier": {
            "network": classifier.name,
            "side": classifier.side,
            "classes": list(classifier.classes),
        },
        "mean": list(prepare.mean),
        "std": list(prepare.std),
    }
    write_adapter(path, trained | fixed, description, {}, parameter_count(trained))


def attach_guided(model: nn.Module, record: Mapping[str, Any], path: Path) -> None:
    """Apply the adapter in the folder `path` to `model` and replace its image tower by the guided
    one.

    Adapters are merged where possible. Images then pass the scene classifier first.

    Args:
        model: the base; unusable afterwards if the adapter does not fit it.
        record: of the folder's JSON file, already checked against its weights.
        path: the folder.

    Raises:
        WeightsLayoutError: names or shapes do not fit this base.
        ConfigError: the record describes nothing that can be built.
    """
    from safetensors.torch import load_file

    holder: Any = model
    try:
        config = record["config"]
        guide = GuideConfig(**config["guide"])
        backbone, network, features = _scene_backbone(config)
        peft = None if config["peft"] is None else PeftConfig.from_json(config["peft"])
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path / RECORD} describes no guided tower ({error!r})") from error
    dim = joint_width(model)
    inner = instruction_width(holder.visual, guide, dim)
    instruction = InstructionEncoder(backbone, features, inner)
    tower = build_guided_tower(holder.visual, instruction, guide, dim)
    targets = {f"guide.{name}": value for name, value in _guide_tensors(tower).items()}
    targets |= {f"classifier.{name}": value for name, value in network.state_dict().items()}
    if peft is not None:
        apply(model, peft)
        targets |= {f"model.{name}": value for name, value in trained_tensors(model).items()}
    values = load_file(path / WEIGHTS)
    problem = first_mismatch(values, targets)
    if problem:
        raise WeightsLayoutError(f"the adapter {path} does not fit this model: {problem}")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(values[name])
    if peft is not None:
        fold_for_inference(model)
    holder.visual = tower
    model.requires_grad_(False).eval()


def _scene_backbone(config: Mapping[str, Any]) -> tuple[nn.Module, nn.Module, int]:
    """Module from pixels to scene features, the network whose tensors are stored, their width."""
    stored = config["classifier"]
    if "resnet" in stored:
        resnet = make_resnet(stored["resnet"])
        return resnet, resnet, int(stored["resnet"]["output"])
    network = make_network(stored["network"], len(stored["classes"]))
    classes = tuple(stored["classes"])
    classifier = SceneClassifier(network, classes, stored["side"], stored["network"])
    mean, std = tuple(config["mean"]), tuple(config["std"])
    return RenormalizedBackbone(classifier, mean, std), network, int(network.num_features)


def _guide_tensors(tower: nn.Module) -> dict[str, Tensor]:
    """Parameters of the tower that belong neither to the base nor to the scene classifier."""
    other = ("visual.", "instruction.backbone.")
    return {k: v for k, v in tower.named_parameters() if not k.startswith(other)}
