"""The folder a run leaves: best weights, what to resume from, its config, its log."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from terraseek.files import atomic_path, write_json
from terraseek_train.config import TrainConfig
from terraseek_train.model import save_weights

__all__ = ["append_log", "load_resume", "read_log", "save_best", "save_resume"]


def save_best(out: Path, average: nn.Module, config: TrainConfig, record: dict[str, Any]) -> None:
    """Write `model.safetensors`, `config.json` and `metrics.json` of the best weights so far."""
    save_weights(average.state_dict(), out / "model.safetensors")
    write_json(out / "config.json", config.to_json())
    write_json(out / "metrics.json", record)


def save_resume(
    out: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    best: float,
) -> None:
    """Write everything the next step depends on; random numbers follow from the step's number."""
    state = {
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "best": best,
    }
    with atomic_path(out / "resume.pt") as part:
        torch.save(state, part)


def load_resume(
    out: Path,
    model: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    keep_log: bool = False,
) -> tuple[int, float]:
    """Step to go on from and best score so far; (0, -1) for a fresh run.

    Log lines written after the checkpoint are dropped, since those steps are done again; with
    `keep_log` that is left to another process.
    """
    stored = out / "resume.pt"
    if not stored.exists():
        if not keep_log:
            (out / "log.jsonl").unlink(missing_ok=True)
        return 0, -1.0
    state = torch.load(stored, weights_only=True)
    model.load_state_dict(state["model"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    if keep_log:
        return int(state["step"]), float(state["best"])
    kept = [record for record in read_log(out) if record["step"] <= state["step"]]
    with atomic_path(out / "log.jsonl") as part:
        part.write_text("".join(json.dumps(record) + "\n" for record in kept))
    return int(state["step"]), float(state["best"])


def append_log(out: Path, record: dict[str, Any]) -> None:
    """One JSON line per step."""
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read_log(out: Path) -> list[dict[str, Any]]:
    """All whole lines of a run's log."""
    path = out / "log.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]
