"""Combine the encoders of several runs into an ensemble.

`python -m terraseek_train.release.ensemble OUT RUN ... [--weight W ...]`
The runs may differ in seed, data and image tower, and were trained with `freeze_words`, so that
their token embeddings are equal. OUT is a checkpoint folder like theirs, for
`terraseek_train.release`, for `terraseek models add --run` and for `evaluate`.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from terraseek.encoders.nets.checkpoints import clip_state, read_state
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek.files import read_json, write_json
from terraseek_train.loop.model import save_weights

__all__ = ["build_ensemble", "main"]

_TOKEN_EMBEDDING, _SCALE, _VISUAL = "token_embedding.weight", "logit_scale", "visual."


def build_ensemble(out: Path, runs: Sequence[Path], weights: Sequence[float] = ()) -> None:
    """Write `model.safetensors` and `config.json` of an ensemble.

    Args:
        out: folder to write into.
        runs: checkpoint folders of the members.
        weights: weight of each member in a cosine, relative to the others; equal if empty.

    Raises:
        ConfigError: no runs, another number of weights than of runs, or runs that differ in pixel
            statistics or in more of their architecture than the image tower.
        WeightsLayoutError: their token embeddings differ.
    """
    configs = [read_json(run / "config.json") for run in runs]
    if not configs:
        raise ConfigError("no runs to combine; give the folders of at least two")
    if weights and len(weights) != len(runs):
        raise ConfigError(f"{len(weights)} weights for {len(runs)} runs; give one a run, or none")
    first, *others = map(_common_settings, configs)
    for key, value in first.items():
        if any(other[key] != value for other in others):
            raise ConfigError(f"{key} of the runs {[str(run) for run in runs]} is not the same")
    states = [clip_state(read_state(run / "model.safetensors")) for run in runs]
    token_embedding = states[0][_TOKEN_EMBEDDING]
    combined = {_TOKEN_EMBEDDING: token_embedding}
    for number, (state, run) in enumerate(zip(states, runs, strict=True)):
        if not state[_TOKEN_EMBEDDING].equal(token_embedding):
            raise WeightsLayoutError(
                f"{run} has another token embedding than {runs[0]}; train both with freeze_words"
            )
        combined |= {
            _ensemble_key(key, number): value
            for key, value in state.items()
            if key != _TOKEN_EMBEDDING
        }
    scale = sum(float(state[_SCALE].exp()) for state in states) / len(states)
    combined[_SCALE] = token_embedding.new_tensor(math.log(scale))
    arch: dict[str, Any] = configs[0]["arch"]
    ensemble_arch = {
        "members": _members([config["arch"]["vision_cfg"] for config in configs], weights),
        "embed_dim": arch["embed_dim"] * len(runs),
    }
    out.mkdir(parents=True, exist_ok=True)
    save_weights(combined, out / "model.safetensors")
    write_json(out / "config.json", configs[0] | {"arch": arch | ensemble_arch})


def _common_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Select the settings that all members must have in common."""
    arch = config["arch"]
    rest = arch | {"vision_cfg": {"image_size": arch["vision_cfg"]["image_size"]}}
    return {"arch": rest, "means": config["means"], "stds": config["stds"]}


def _members(towers: list[dict[str, Any]], weights: Sequence[float]) -> int | list[dict[str, Any]]:
    """Make the `members` of an architecture: their number where all are alike, else a list.

    The format's key for the weight of a member is `share`.
    """
    if not weights and all(tower == towers[0] for tower in towers):
        return len(towers)
    settings = [{} if tower == towers[0] else {"vision_cfg": tower} for tower in towers]
    return [
        member | {"share": weight}
        for member, weight in zip(settings, weights or [1.0] * len(settings), strict=True)
    ]


def _ensemble_key(key: str, number: int) -> str:
    """Name a tensor of member `number` as the ensemble's network names it."""
    if key == _SCALE:
        return key
    if key.startswith(_VISUAL):
        return f"visual.parts.{number}.{key.removeprefix(_VISUAL)}"
    return f"texts.{number}.{key}"


def main(
    out: Path,
    runs: list[Path],
    weight: list[float] = typer.Option([], help="Weight of each run in a cosine; default equal."),
    share: list[float] = typer.Option([], hidden=True, help="Old name of --weight."),
) -> None:
    """Combine the encoders of several RUNS into one in the folder OUT."""
    if share:
        typer.echo(
            "note: --share is now --weight; the old name goes with the next release", err=True
        )
    build_ensemble(out, runs, weight or share)


if __name__ == "__main__":
    typer.run(main)
