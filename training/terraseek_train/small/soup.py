"""Average trained networks: `python -m terraseek_train.small.soup OUT RUN RUN ...`.

Wortsman et al. 2022, "Model soups": runs from the same start that differ in their seed end in one
basin of the loss, and the mean of their weights is better than each.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import typer
from safetensors.torch import load_file
from torch import Tensor

from terraseek.errors import ConfigError
from terraseek.files import read_json, write_json
from terraseek_train.loop.model import save_weights

__all__ = ["soup"]


def soup(out: Path, runs: Sequence[Path]) -> None:
    """Write `model.safetensors` and `config.json` of the mean of the weights.

    Raises:
        ConfigError: the runs are of different architectures.
    """
    configs = [read_json(run / "config.json") for run in runs]
    if any(config["arch"] != configs[0]["arch"] for config in configs):
        raise ConfigError(
            f"{[str(run) for run in runs]} are of different architectures; average runs that "
            "have the same start"
        )
    states = [load_file(run / "model.safetensors") for run in runs]
    mean = {key: _mean([state[key] for state in states]) for key in states[0]}
    out.mkdir(parents=True, exist_ok=True)
    save_weights(mean, out / "model.safetensors")
    write_json(out / "config.json", configs[0] | {"step": [c.get("step") for c in configs]})


def _mean(values: list[Tensor]) -> Tensor:
    if not values[0].is_floating_point():
        return values[0]
    return torch.stack(values).mean(dim=0)


def main(out: Path, runs: list[Path]) -> None:
    """Average RUNS into the folder OUT."""
    soup(out, runs)


if __name__ == "__main__":
    typer.run(main)
