"""Put the encoders of several runs side by side in one.

`python -m terraseek_train.release.ensemble OUT RUN ... [--share S ...]`
The runs differ in their seed, data or image tower and were trained with `freeze_words`, so that
their token embeddings are the same. OUT is a checkpoint folder like theirs, for `release`, for
`terraseek models add --run` and for `evaluate`.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from terraseek.encoders.nets.checkpoints import read_state, towers_of
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek.files import read_json, write_json
from terraseek_train.loop.model import save_weights

__all__ = ["join", "main"]

_TABLE, _SCALE, _VISUAL = "token_embedding.weight", "logit_scale", "visual."


def join(out: Path, runs: Sequence[Path], shares: Sequence[float] = ()) -> None:
    """Write `model.safetensors` and `config.json` of the members together.

    Args:
        out: folder to write into.
        runs: checkpoint folders.
        shares: of each run in a cosine, beside the others'; none are equal ones.

    Raises:
        ConfigError: no runs, not as many shares, or the runs differ in pixel statistics or in more
            of their architectures than the image tower.
        WeightsLayoutError: their token embeddings differ.
    """
    configs = [read_json(run / "config.json") for run in runs]
    if not configs:
        raise ConfigError("no runs to join; give the folders of at least two")
    if shares and len(shares) != len(runs):
        raise ConfigError(f"{len(shares)} shares for {len(runs)} runs; give one a run, or none")
    first, *others = map(_apart_from_tower, configs)
    for key, value in first.items():
        if any(other[key] != value for other in others):
            raise ConfigError(f"{key} of the runs {[str(run) for run in runs]} is not the same")
    states = [towers_of(read_state(run / "model.safetensors")) for run in runs]
    table = states[0][_TABLE]
    joined = {_TABLE: table}
    for number, (state, run) in enumerate(zip(states, runs, strict=True)):
        if not state[_TABLE].equal(table):
            raise WeightsLayoutError(
                f"{run} has another token embedding than {runs[0]}; train both with freeze_words"
            )
        joined |= {_joined_key(key, number): value for key, value in state.items() if key != _TABLE}
    scale = sum(float(state[_SCALE].exp()) for state in states) / len(states)
    joined[_SCALE] = table.new_tensor(math.log(scale))
    arch: dict[str, Any] = configs[0]["arch"]
    side_by_side = {
        "members": _members([config["arch"]["vision_cfg"] for config in configs], shares),
        "embed_dim": arch["embed_dim"] * len(runs),
    }
    out.mkdir(parents=True, exist_ok=True)
    save_weights(joined, out / "model.safetensors")
    write_json(out / "config.json", configs[0] | {"arch": arch | side_by_side})


def _apart_from_tower(config: dict[str, Any]) -> dict[str, Any]:
    """What members must have in common."""
    arch = config["arch"]
    rest = arch | {"vision_cfg": {"image_size": arch["vision_cfg"]["image_size"]}}
    return {"arch": rest, "means": config["means"], "stds": config["stds"]}


def _members(towers: list[dict[str, Any]], shares: Sequence[float]) -> int | list[dict[str, Any]]:
    """As `encoders.architecture` reads it: a number where members are alike in all."""
    if not shares and all(tower == towers[0] for tower in towers):
        return len(towers)
    own = [{} if tower == towers[0] else {"vision_cfg": tower} for tower in towers]
    return [
        mine | {"share": share} for mine, share in zip(own, shares or [1.0] * len(own), strict=True)
    ]


def _joined_key(key: str, number: int) -> str:
    if key == _SCALE:
        return key
    if key.startswith(_VISUAL):
        return f"visual.parts.{number}.{key.removeprefix(_VISUAL)}"
    return f"texts.{number}.{key}"


def main(
    out: Path,
    runs: list[Path],
    share: list[float] = typer.Option([], help="Share of each run in a cosine; equal without."),
) -> None:
    """Put the encoders of several RUNS side by side in the folder OUT."""
    join(out, runs, share)


if __name__ == "__main__":
    typer.run(main)
