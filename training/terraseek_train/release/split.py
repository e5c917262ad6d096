"""Take the members of joined encoders apart, to train them further: what `join` did, undone.

`python -m terraseek_train.release.split OUT MODEL`
MODEL is a registered model (`terraseek-tiny`) or a folder as `join` writes it. OUT/0, OUT/1 ... are
folders for a recipe's `init` and for `join`. Hubs are left out: they belong to the members together
and are made anew after training.
"""

from pathlib import Path
from typing import Any

import typer

from terraseek.encoders.architecture import ensemble_members
from terraseek.encoders.nets.checkpoints import read_state, towers_of
from terraseek.errors import ConfigError
from terraseek.files import write_json
from terraseek_train.loop.model import save_weights
from terraseek_train.loop.start import initial_config, initial_weights

__all__ = ["split"]

_SHARED = ("token_embedding.weight", "logit_scale")


def split(out: Path, model: str) -> list[Path]:
    """Write `model.safetensors` (float32) and `config.json` of every member; returns the folders.

    Args:
        out: folder of the folders.
        model: name of a registered model, or a folder as `join` writes it.

    Raises:
        ConfigError: it is neither, or has no members.
    """
    config = initial_config(model, Path(model))
    arch: dict[str, Any] = dict(config["arch"])
    if "members" not in arch:
        raise ConfigError(f"{model} has no members; only what `join` made can be taken apart")
    state = towers_of(read_state(initial_weights(model)))
    folders = []
    for number, (alone_arch, _) in enumerate(ensemble_members(arch)):
        own = {key: state[key] for key in _SHARED}
        for joined, alone in ((f"visual.parts.{number}.", "visual."), (f"texts.{number}.", "")):
            own |= {
                alone + key.removeprefix(joined): value
                for key, value in state.items()
                if key.startswith(joined)
            }
        floats = {k: v.float() if v.is_floating_point() else v for k, v in own.items()}
        folders.append(out / str(number))
        folders[-1].mkdir(parents=True, exist_ok=True)
        save_weights(floats, folders[-1] / "model.safetensors")
        write_json(folders[-1] / "config.json", config | {"arch": alone_arch})
    return folders


def main(out: Path, model: str) -> None:
    """Write the members of the joined encoders MODEL into OUT/0, OUT/1 ..."""
    split(out, model)


if __name__ == "__main__":
    typer.run(main)
