"""The folder of a run: best weights, state to resume from, config and log."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from terraseek.errors import ConfigError
from terraseek.files import atomic_path, read_json, write_json
from terraseek_train.config import TrainConfig
from terraseek_train.evaluate.retrieval import Retrieved
from terraseek_train.loop.classified import Classified
from terraseek_train.loop.model import ClipModel

__all__ = [
    "append_log",
    "check_same_run",
    "load_classified",
    "load_ranks",
    "load_resume",
    "read_log",
    "save_ranks",
    "save_results",
    "save_resume",
    "write_config",
]

_MAY_CHANGE = frozenset(
    [
        *("out", "cache", "teacher", "rs5m_captions", "images", "captions", "labels", "init"),
        *("threads", "workers", "device", "tensorboard", "eval_every", "save_every"),
        *("val", "val_extra", "allow_leakage"),
    ]
)
"""Settings that may differ when a run is resumed: paths, and what no loss depends on."""


def write_config(out: Path, config: TrainConfig) -> None:
    """Write `config.json`, which creates the run's folder."""
    write_json(out / "config.json", config.to_json())


def check_same_run(out: Path, config: TrainConfig) -> None:
    """Refuse to resume a run under settings that would change its losses.

    Raises:
        ConfigError: `out` holds a run with other settings; the message names the first.
    """
    stored = out / "config.json"
    if not (out / "resume.pt").exists() or not stored.exists():
        return
    now = json.loads(json.dumps(config.to_json()))
    if found := _difference(read_json(stored), now):
        name, before, after = found
        raise ConfigError(
            f"{out} holds a run that was begun with {name} {before}, now {after}; take another "
            '"out" (and "init" with this folder, to start from its weights), or remove the folder'
        )


def _difference(before: Any, now: Any, name: str = "") -> tuple[str, str, str] | None:  # noqa: ANN401
    """Name and values of the first setting that differs; keys absent from `before` are ignored."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [key for key in before if key not in _MAY_CHANGE]
        parts = [(f"{name}.{key}".lstrip("."), before[key], now.get(key)) for key in keys]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        parts = [(f"{name}[{k}]", a, b) for k, (a, b) in enumerate(zip(before, now, strict=True))]
    else:
        return None if before == now else (name, json.dumps(before), json.dumps(now))
    differences = (_difference(a, b, part) for part, a, b in parts)
    return next((found for found in differences if found), None)


def save_ranks(out: Path, found: Retrieved) -> None:
    """Write `ranks.npz`: the rank at which each query of a validation set finds its answer."""
    with atomic_path(out / "ranks.npz") as part, part.open("wb") as file:
        np.savez(
            file,
            image_rank=found.image_rank,
            caption_rank=found.caption_rank,
            image_of=found.image_of,
        )


def save_results(out: Path, found: Mapping[str, Retrieved | Classified]) -> None:
    """Write what was found on the first validation set with captions and the first with labels."""
    ranked = next((one for one in found.values() if isinstance(one, Retrieved)), None)
    classified = next((one for one in found.values() if isinstance(one, Classified)), None)
    if ranked is not None:
        save_ranks(out, ranked)
    if classified is not None:
        with atomic_path(out / "classified.npz") as part, part.open("wb") as file:
            np.savez(file, correct=classified.correct, n_classes=classified.n_classes)


def load_classified(out: Path) -> Classified | None:
    """Read which images of the set with labels were right; None if the run has no such set."""
    if not (out / "classified.npz").exists():
        return None
    with np.load(out / "classified.npz") as stored:
        return Classified(stored["correct"], int(stored["n_classes"]))


def load_ranks(out: Path) -> Retrieved:
    """Read the file of `save_ranks`."""
    with np.load(out / "ranks.npz") as stored:
        return Retrieved(stored["image_rank"], stored["caption_rank"], stored["image_of"])


def save_resume(
    out: Path,
    model: ClipModel,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    best: float,
) -> None:
    """Write all state of the next step; its random numbers follow from the step number."""
    state = {
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "best": best,
        "method": model.loop_state(),
    }
    with atomic_path(out / "resume.pt") as part:
        torch.save(state, part)


def load_resume(
    out: Path,
    model: ClipModel,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    keep_log: bool = False,
) -> tuple[int, float]:
    """Restore a run; returns its step and best score so far, (0, -1) for a new run.

    Log lines written after the checkpoint are dropped, since those steps are repeated.

    Args:
        out: folder of the run.
        model: gets the stored weights.
        average: gets the stored averaged weights.
        optimizer: gets the stored state.
        keep_log: leave the log to another process.
    """
    stored = out / "resume.pt"
    if not stored.exists():
        if not keep_log:
            (out / "log.jsonl").unlink(missing_ok=True)
        return 0, -1.0
    state = torch.load(stored, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    model.load_loop_state(state.get("method", {}))
    if keep_log:
        return int(state["step"]), float(state["best"])
    kept = [record for record in read_log(out) if record["step"] <= state["step"]]
    with atomic_path(out / "log.jsonl") as part:
        part.write_text("".join(json.dumps(record) + "\n" for record in kept))
    return int(state["step"]), float(state["best"])


def append_log(out: Path, record: dict[str, Any]) -> None:
    """Append one JSON line."""
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read_log(out: Path) -> list[dict[str, Any]]:
    """Read the complete lines of a run's log."""
    path = out / "log.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]
