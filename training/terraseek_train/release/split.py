"""Split an ensemble into its members, to train them further; the inverse of `release.ensemble`.

`python -m terraseek_train.release.split OUT MODEL`
MODEL is a registered model (`terraseek-tiny`) or a folder that `terraseek_train.release.ensemble`
wrote. OUT/0, OUT/1 ... are folders for the `init` of a recipe and for a new ensemble. A hubness
correction is dropped: it belongs to the ensemble and is computed again after training.
"""

from pathlib import Path
from typing import Any

import typer

from terraseek.encoders.architecture import ensemble_members
from terraseek.encoders.nets.checkpoints import clip_state, read_state
from terraseek.errors import ConfigError
from terraseek.files import write_json
from terraseek_train.loop.model import save_weights
from terraseek_train.loop.start import initial_config, initial_weights

__all__ = ["split_ensemble"]

_SHARED = ("token_embedding.weight", "logit_scale")


def split_ensemble(out: Path, model: str) -> list[Path]:
    """Write `model.safetensors` (float32) and `config.json` of every member; returns the folders.

    Args:
        out: parent of the folders.
        model: name of a registered model, or folder of an ensemble.

    Raises:
        ConfigError: it is neither, or has no members.
    """
    config = initial_config(model, Path(model))
    arch: dict[str, Any] = dict(config["arch"])
    if "members" not in arch:
        raise ConfigError(f"{model} has no members; only an ensemble can be split")
    state = clip_state(read_state(initial_weights(model)))
    folders = []
    for number, (member_arch, _) in enumerate(ensemble_members(arch)):
        member = {key: state[key] for key in _SHARED}
        for prefix, own_prefix in (
            (f"visual.parts.{number}.", "visual."),
            (f"texts.{number}.", ""),
        ):
            member |= {
                own_prefix + key.removeprefix(prefix): value
                for key, value in state.items()
                if key.startswith(prefix)
            }
        floats = {k: v.float() if v.is_floating_point() else v for k, v in member.items()}
        folders.append(out / str(number))
        folders[-1].mkdir(parents=True, exist_ok=True)
        save_weights(floats, folders[-1] / "model.safetensors")
        write_json(folders[-1] / "config.json", config | {"arch": member_arch})
    return folders


def main(out: Path, model: str) -> None:
    """Write the members of the ensemble MODEL into OUT/0, OUT/1 ..."""
    split_ensemble(out, model)


if __name__ == "__main__":
    typer.run(main)
