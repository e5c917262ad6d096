"""Put the encoders of several runs side by side in one.

`python -m terraseek_train.join OUT RUN ...`
The runs differ in their seed (or data) only and were trained with `freeze_words`, so that their
token embeddings are the same. OUT is a checkpoint folder like theirs, for `release`, for
`terraseek models add --run` and for `evaluate`.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from terraseek.encoders.checkpoints import read_state, towers_of
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek.files import read_json, write_json
from terraseek_train.model import save_weights

__all__ = ["join", "main"]

_TABLE, _SCALE, _VISUAL = "token_embedding.weight", "logit_scale", "visual."


def join(out: Path, runs: Sequence[Path]) -> None:
    """Write `model.safetensors` and `config.json` of the members together.

    Args:
        out: folder to write into.
        runs: checkpoint folders.

    Raises:
        ConfigError: no runs, or their architectures or pixel statistics differ.
        WeightsLayoutError: their token embeddings differ.
    """
    configs = [read_json(run / "config.json") for run in runs]
    if not configs:
        raise ConfigError("no runs to join; give the folders of at least two")
    for key in ("arch", "means", "stds"):
        if any(config[key] != configs[0][key] for config in configs):
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
    side_by_side = {"members": len(runs), "embed_dim": arch["embed_dim"] * len(runs)}
    out.mkdir(parents=True, exist_ok=True)
    save_weights(joined, out / "model.safetensors")
    write_json(out / "config.json", configs[0] | {"arch": arch | side_by_side})


def _joined_key(key: str, number: int) -> str:
    if key == _SCALE:
        return key
    if key.startswith(_VISUAL):
        return f"visual.parts.{number}.{key.removeprefix(_VISUAL)}"
    return f"texts.{number}.{key}"


def main(out: Path, runs: list[Path]) -> None:
    """Put the encoders of several RUNS side by side in the folder OUT."""
    join(out, runs)


if __name__ == "__main__":
    typer.run(main)
