"""Export a checkpoint, measure it with the shipped evaluations, and write its model card.

`python -m terraseek_train.release CHECKPOINT PLAN.json` (plans are in `training/recipes`).
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer

from terraseek.encoders.base import Encoder
from terraseek.encoders.cards import ModelCard, read_card
from terraseek.files import read_json
from terraseek.progress import Progress, silent
from terraseek_benchmarks import benchmarks
from terraseek_train.config import expand_variables
from terraseek_train.data.sources import open_images, pair_images, read_captions
from terraseek_train.evaluate.bootstrap import UnitSums, intervals
from terraseek_train.evaluate.encode import encode_named
from terraseek_train.evaluate.report import rounded
from terraseek_train.evaluate.run import encode_labelled, measure_retrieval
from terraseek_train.release.background import background
from terraseek_train.release.export import export, write_card
from terraseek_train.release.vocabulary import write_vocabulary

__all__ = ["measure", "release"]


def release(checkpoint: Path, plan_file: Path, out: Path, progress: Progress = silent) -> ModelCard:
    """Write weights and card of a checkpoint, with scores and calibration of the shipped weights.

    Args:
        checkpoint: folder of a training run.
        plan_file: JSON with `name`, `facts` (fields of the card), and the measurements by name:
            `retrieval`, `zeroshot`, `calibration`; `words_of` lists the recipes whose words go
            into the calibration.
        out: folder with `weights` and `cards`.
        progress: called while images are encoded.
    """
    from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder

    written = read_json(plan_file)
    plan = expand_variables(written, plan_file)
    facts = dict(written["facts"])
    for key in ("languages", "limitations", "gsd_range_m"):
        if facts.get(key) is not None:
            facts[key] = tuple(facts[key])
    card = export(checkpoint, plan["name"], out, facts)
    local_file = replace(card.weights, file=str((out / "weights" / card.weights.file).resolve()))
    encoder = OpenClipEncoder(replace(card, weights=local_file), "cpu")
    measured = measure(encoder, plan, written, progress)
    for score in measured["scores"].values():
        score["weights_sha256"] = card.weights.sha256
    card = replace(card, **measured)
    write_card(card, out / "cards")
    if plan.get("words_of"):
        file = out / "cards" / f"{card.name}.json"
        write_vocabulary(file, [Path(recipe) for recipe in plan["words_of"]])
        return read_card(file)
    return card


def measure(
    encoder: Encoder,
    plan: Mapping[str, Any],
    written: Mapping[str, Any],
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure the card's `scores` and `calibration`.

    Args:
        encoder: the encoder to measure.
        plan: the plan with environment variables expanded.
        written: the plan as written, which is shown in the card.
        progress: called while images are encoded.
    """
    scores: dict[str, Any] = {}
    for name, task in plan.get("retrieval", {}).items():
        command = _command("retrieval", written["retrieval"][name])
        scores[f"retrieval: {name}"] = _retrieval(encoder, task, progress) | {"command": command}
    for name, task in plan.get("zeroshot", {}).items():
        command = _command("zeroshot", written["zeroshot"][name])
        scores[f"zeroshot: {name}"] = _zeroshot(encoder, task, progress) | {"command": command}
    if not plan.get("calibration"):
        return {"scores": scores}
    cosines = _calibration(encoder, plan["calibration"], progress)
    return {
        "scores": scores,
        "calibration": cosines | {"measured_on": written["calibration"]},
    }


def _retrieval(encoder: Encoder, task: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    images, captions = Path(task["images"]), Path(task["captions"])
    retrieved = measure_retrieval(images, captions, encoder, task.get("split"), progress)
    return asdict(retrieved.score()) | {"intervals": _intervals(retrieved.unit_sums(), 2)}


def _zeroshot(encoder: Encoder, task: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Top-1 with the class names of the plan, and by folder names where the plan has others."""
    labels = Path(task["labels"]) if task.get("labels") else None
    labelled = encode_labelled(Path(task["images"]), encoder, labels, progress)
    prompts = task.get("prompts", "rs105")
    class_names = task.get("classnames") or labelled.folder_names
    score = labelled.score(encoder, class_names, prompts)
    accuracies = zip(class_names, score.per_class, strict=True)
    values = {
        "top1": score.top1,
        "intervals": _intervals(score.unit_sums(), 2),
        "n_images": score.n_images,
        "n_classes": score.n_classes,
        "per_class": {name: round(float(value), 1) for name, value in accuracies},
    }
    if class_names != labelled.folder_names:
        by_folder = labelled.score(encoder, labelled.folder_names, prompts)
        values["top1_by_folder_names"] = by_folder.top1
    return values


def _calibration(
    encoder: Encoder, sources: list[dict[str, str]], progress: Progress
) -> dict[str, Any]:
    vectors, labels, captions = [], [], []
    for source in sources:
        images = open_images(Path(source["images"]))
        samples = read_captions(Path(source["captions"]), source.get("split"))
        pairs = pair_images(samples, images)
        vectors.append(encode_named(encoder, images, [name for _, name in pairs], progress))
        labels += [sample.label for sample, _ in pairs]
        captions += [sample.captions for sample, _ in pairs]
    return background(encoder, np.concatenate(vectors), labels, captions)


def _intervals(sums: UnitSums, digits: int) -> dict[str, list[float] | None]:
    """Compute the 95 % bootstrap interval per headline number, as the evaluate commands do."""
    return {name: rounded(ends, digits) for name, ends in intervals(sums).items()}


def _command(kind: str, task: Mapping[str, Any]) -> str:
    """Write the command line of the same measurement."""
    words = ["terraseek", "evaluate", kind]
    for key in ("images", "captions", "split", "labels", "prompts"):
        if task.get(key):
            words += [f"--{key}", str(task[key])]
    if task.get("classnames"):
        names = tuple(task["classnames"])
        found = [bench.name for bench in benchmarks().values() if bench.described == names]
        words += ["--classnames", found[0] if found else "NAMES.txt"]
    return " ".join(words)


def main(
    checkpoint: Path = typer.Argument(..., help="Folder of a training run."),
    plan: Path = typer.Argument(..., help="Plan: what to write and to measure, as JSON."),
    out: Path = typer.Option(
        Path("core/terraseek/encoders"), "--out", help="Folder with weights and cards."
    ),
) -> None:
    """Export a checkpoint, measure it, and write its model card."""
    from terraseek.commands.console import bar

    with bar() as progress:
        release(checkpoint, plan, out, progress)


if __name__ == "__main__":
    typer.run(main)
