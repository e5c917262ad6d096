"""Average the weights of several checkpoints of one lineage (Wortsman et al. 2022, "model soups").

`python -m terraseek_train.release.soup OUT CHECKPOINT=SHARE ...`; OUT takes the last one's config.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from terraseek.errors import ConfigError, WeightsLayoutError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["average", "main"]


def average(parts: Mapping[Path, float]) -> "dict[str, Tensor]":
    """Weighted mean of the checkpoints' CLIP tensors; training-only heads are left out.

    Args:
        parts: checkpoint folder → share; shares are scaled to sum to 1.

    Raises:
        ConfigError: no part, or shares that are not positive.
        WeightsLayoutError: the checkpoints do not hold the same tensors.
    """
    from safetensors.torch import load_file

    if not parts or min(parts.values()) <= 0:
        raise ConfigError(f"shares {list(parts.values())} must be positive and at least one")
    total = sum(parts.values())
    mixed: dict[str, Tensor] = {}
    for folder, share in parts.items():
        loaded = load_file(folder / "model.safetensors")
        state = {key: value for key, value in loaded.items() if key.startswith("clip.")}
        if mixed and mixed.keys() != state.keys():
            raise WeightsLayoutError(f"{folder} holds other tensors than the parts before it")
        for key, value in state.items():
            mixed[key] = mixed.get(key, 0) + value.float() * (share / total)
    return mixed


def main(out: Path, parts: list[str]) -> None:
    """Mix checkpoints, each given as FOLDER=SHARE, into the folder OUT."""
    from terraseek_train.loop.model import save_weights

    given = [part.rpartition("=") for part in parts]
    shares = {Path(folder): float(share) for folder, _, share in given}
    out.mkdir(parents=True, exist_ok=True)
    save_weights(average(shares), out / "model.safetensors")
    shutil.copy(list(shares)[-1] / "config.json", out / "config.json")


if __name__ == "__main__":
    typer.run(main)
