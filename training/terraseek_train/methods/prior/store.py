"""PriorCLIP and PIR on disk: an adapter folder that also holds the guide and its scene classifier.

Files are those of `terraseek_train.peft.store`; the kind is `prior-hard`, `prior-soft` or
`prior-tower`, and names begin with `model.` (what was trained of the base), `guide.` or
`classifier.`.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from terraseek.encoders.cards import Preprocess
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek.files import atomic_path, sha256_of, write_json
from terraseek_train.methods.prior.guided import (
    GuideConfig,
    SceneEye,
    guided_tower,
    instruction_width,
)
from terraseek_train.methods.prior.instruction import InstructionEncoder
from terraseek_train.methods.prior.released import make_resnet
from terraseek_train.methods.prior.scene_classes import SceneClassifier, make_network
from terraseek_train.peft import apply, peft_state, settle
from terraseek_train.peft.config import PeftConfig
from terraseek_train.peft.store import FORMAT, JSON, PRIOR, WEIGHTS, count, kept_values, mismatch

__all__ = ["attach_guided", "save_guided"]


def save_guided(
    model: nn.Module,
    tower: nn.Module,
    config: GuideConfig,
    classifier: SceneClassifier,
    prepare: Preprocess,
    path: Path,
) -> None:
    """Write what `attach_guided` needs beside the base into the folder `path`.

    Args:
        model: the tuned open_clip model, its image tower not replaced.
        tower: of `guided_tower` around `model.visual`.
        config: of the tower.
        classifier: whose features instructed it.
        prepare: statistics of the pixels the tower takes.
        path: the folder.

    Raises:
        ConfigError: nothing was applied to the model.
    """
    from safetensors.torch import save_file

    state = peft_state(model)
    if state is None:
        raise ConfigError("the model carries no adapter, so there is none to save; apply one first")
    trained = {f"model.{name}": value for name, value in kept_values(model).items()}
    trained |= {f"guide.{name}": value for name, value in _guide(tower).items()}
    seen = {f"classifier.{name}": v for name, v in classifier.network.state_dict().items()}
    kept = {name: value.detach().cpu().contiguous() for name, value in (trained | seen).items()}
    with atomic_path(path / WEIGHTS) as part:
        save_file(kept, part)
    record = {
        "format": FORMAT,
        "config": {
            "kind": f"{PRIOR}{config.belief}",
            "peft": state.config.to_json(),
            "guide": config.to_json(),
            "classifier": {
                "network": classifier.name,
                "side": classifier.side,
                "classes": list(classifier.classes),
            },
            "mean": list(prepare.mean),
            "std": list(prepare.std),
        },
        "towers": {},
        "parameters": count(trained),
        "sha256": sha256_of(path / WEIGHTS),
    }
    write_json(path / JSON, record)


def attach_guided(model: nn.Module, record: dict[str, Any], path: Path) -> None:
    """Tune `model` as the folder `path` has it and put the guided tower in place of its own.

    Adapters are folded where they can be. Images then pass the scene classifier first.

    Args:
        model: the base.
        record: of the folder's JSON file, already checked against its weights. The model is
            spoilt where it does not fit.
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
        eye, network, features = _eye(config)
        peft = None if config["peft"] is None else PeftConfig.from_json(config["peft"])
    except (KeyError, TypeError) as error:
        raise ConfigError(f"{path / JSON} describes no guided tower ({error!r})") from error
    dim = _joint_width(model)
    inner = instruction_width(holder.visual, guide, dim)
    tower = guided_tower(holder.visual, InstructionEncoder(eye, features, inner), guide, dim)
    targets = {f"guide.{name}": value for name, value in _guide(tower).items()}
    targets |= {f"classifier.{name}": value for name, value in network.state_dict().items()}
    if peft is not None:
        apply(model, peft)
        targets |= {f"model.{name}": value for name, value in kept_values(model).items()}
    values = load_file(path / WEIGHTS)
    problem = mismatch(values, targets)
    if problem:
        raise WeightsLayoutError(f"the adapter {path} does not fit this model: {problem}")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(values[name])
    if peft is not None:
        settle(model)
    holder.visual = tower
    model.requires_grad_(False).eval()


def _eye(config: dict[str, Any]) -> tuple[nn.Module, nn.Module, int]:
    """What looks at the pixels, the network whose tensors are kept, and how much it says."""
    seen = config["classifier"]
    if "resnet" in seen:
        plain = make_resnet(seen["resnet"])
        return plain, plain, int(seen["resnet"]["output"])
    network = make_network(seen["network"], len(seen["classes"]))
    classifier = SceneClassifier(network, tuple(seen["classes"]), seen["side"], seen["network"])
    eye = SceneEye(classifier, tuple(config["mean"]), tuple(config["std"]))
    return eye, network, int(network.num_features)


def _guide(tower: nn.Module) -> dict[str, Tensor]:
    """Tensors of the tower that are neither the base's nor the classifier's."""
    other = ("visual.", "instruction.backbone.")
    return {k: v for k, v in tower.named_parameters() if not k.startswith(other)}


def _joint_width(model: Any) -> int:  # noqa: ANN401
    projection = getattr(model, "text", model).text_projection
    return int(
        projection.out_features if isinstance(projection, nn.Linear) else projection.shape[1]
    )
