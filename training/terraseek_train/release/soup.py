"""Average the weights of several checkpoints of one lineage (Wortsman et al. 2022, "model soups").

`python -m terraseek_train.release.soup OUT CHECKPOINT=WEIGHT ...`; OUT gets the config of the last
checkpoint.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import typer
from safetensors.torch import load_file
from torch import Tensor

from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek_train.loop.model import save_weights

__all__ = ["average", "main"]


def average(checkpoints: Mapping[Path, float]) -> dict[str, Tensor]:
    """Compute the weighted mean of the checkpoints' CLIP tensors, without training-only heads.

    Args:
        checkpoints: weight of each checkpoint folder; the weights are scaled to sum to 1.

    Raises:
        ConfigError: no checkpoint, or weights that are not positive.
        WeightsLayoutError: the checkpoints do not have the same tensors.
    """
    if not checkpoints or min(checkpoints.values()) <= 0:
        weights = list(checkpoints.values())
        raise ConfigError(f"weights {weights} must be positive and at least one")
    total = sum(checkpoints.values())
    mean: dict[str, Tensor] = {}
    for folder, weight in checkpoints.items():
        loaded = load_file(folder / "model.safetensors")
        state = {key: value for key, value in loaded.items() if key.startswith("clip.")}
        if mean and mean.keys() != state.keys():
            raise WeightsLayoutError(f"{folder} holds other tensors than the checkpoints before it")
        for key, value in state.items():
            mean[key] = mean.get(key, 0) + value.float() * (weight / total)
    return mean


def main(out: Path, checkpoints: list[str]) -> None:
    """Average CHECKPOINTS, each given as FOLDER=WEIGHT, into the folder OUT."""
    given = [checkpoint.rpartition("=") for checkpoint in checkpoints]
    weights = {Path(folder): float(weight) for folder, _, weight in given}
    out.mkdir(parents=True, exist_ok=True)
    save_weights(average(weights), out / "model.safetensors")
    shutil.copy(list(weights)[-1] / "config.json", out / "config.json")


if __name__ == "__main__":
    typer.run(main)
