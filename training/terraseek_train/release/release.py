"""Export a checkpoint, measure it by the shipped evaluations, and write all of it into its card.

`python -m terraseek_train.release.release CHECKPOINT PLAN.json` (plans are in `training/recipes`).
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
from terraseek_train.config import expand_variables
from terraseek_train.data.sources import open_images, pair_images, read_captions
from terraseek_train.evaluate.bootstrap import Tally, intervals
from terraseek_train.evaluate.encode import encode_named
from terraseek_train.evaluate.report import rounded
from terraseek_train.evaluate.run import evaluate_zeroshot, measure_retrieval
from terraseek_train.release.background import background
from terraseek_train.release.export import export, write_card
from terraseek_train.release.vocabulary import write_words

__all__ = ["measure", "release"]


def release(checkpoint: Path, plan_file: Path, out: Path, progress: Progress = silent) -> ModelCard:
    """Weights and card of a checkpoint, with scores and calibration measured on what is shipped.

    Args:
        checkpoint: folder of a training run.
        plan_file: JSON with `name`, `facts` (fields of the card), `retrieval`, `zeroshot`,
            `calibration`: what to measure, each by name; `words_of`: recipes whose words go into
            the calibration.
        out: folder with `weights` and `cards`.
        progress: told while images are encoded.
    """
    from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder

    written = read_json(plan_file)
    plan = expand_variables(written, plan_file)
    facts = dict(written["facts"])
    for key in ("languages", "limitations", "gsd_range_m"):
        if facts.get(key) is not None:
            facts[key] = tuple(facts[key])
    card = export(checkpoint, plan["name"], out, facts)
    here = replace(card.weights, file=str((out / "weights" / card.weights.file).resolve()))
    encoder = OpenClipEncoder(replace(card, weights=here), "cpu")
    card = replace(card, **measure(encoder, plan, written, progress))
    write_card(card, out / "cards")
    if plan.get("words_of"):
        file = out / "cards" / f"{card.name}.json"
        write_words(file, [Path(recipe) for recipe in plan["words_of"]])
        return read_card(file)
    return card


def measure(
    encoder: Encoder,
    plan: Mapping[str, Any],
    written: Mapping[str, Any],
    progress: Progress = silent,
) -> dict[str, Any]:
    """The card's `scores` and `calibration`.

    Args:
        encoder: what is measured.
        plan: with paths filled in.
        written: the same with variables, as it is shown in the card.
        progress: told while images are encoded.
    """
    scores: dict[str, Any] = {}
    for name, task in plan.get("retrieval", {}).items():
        images, captions = Path(task["images"]), Path(task["captions"])
        found = measure_retrieval(images, captions, encoder, task.get("split"), progress)
        scores[f"retrieval: {name}"] = asdict(found.score()) | {
            "intervals": _intervals(found.tally(), 2),
            "command": _command("retrieval", written["retrieval"][name]),
        }
    for name, task in plan.get("zeroshot", {}).items():
        labels = Path(task["labels"]) if task.get("labels") else None
        result, called = evaluate_zeroshot(
            Path(task["images"]),
            encoder,
            task.get("classnames"),
            task.get("prompts", "rs105"),
            labels,
            progress,
        )
        scores[f"zeroshot: {name}"] = {
            "top1": result.top1,
            "intervals": _intervals(result.tally(), 2),
            "n_images": result.n_images,
            "n_classes": result.n_classes,
            "per_class": {
                label: round(float(value), 1)
                for label, value in zip(called, result.per_class, strict=True)
            },
            "command": _command("zeroshot", written["zeroshot"][name]),
        }
    if not plan.get("calibration"):
        return {"scores": scores}
    cosines = _calibration(encoder, plan["calibration"], progress)
    return {
        "scores": scores,
        "calibration": cosines | {"measured_on": written["calibration"]},
    }


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


def _intervals(tally: Tally, digits: int) -> dict[str, list[float] | None]:
    """95 % bootstrap interval per headline number, as the evaluate commands print it."""
    return {name: rounded(ends, digits) for name, ends in intervals(tally).items()}


def _command(kind: str, task: Mapping[str, Any]) -> str:
    """The command line that measures the same."""
    words = ["terraseek", "evaluate", kind]
    for key in ("images", "captions", "split", "labels", "prompts"):
        if task.get(key):
            words += [f"--{key}", str(task[key])]
    if task.get("classnames"):
        words += ["--classnames", "NAMES.txt"]
    return " ".join(words)


def main(
    checkpoint: Path = typer.Argument(..., help="Folder of a training run."),
    plan: Path = typer.Argument(..., help="What to write and measure, as JSON."),
    out: Path = typer.Option(Path("core/terraseek/encoders"), "--out"),
) -> None:
    """Export, measure and describe a model."""
    from terraseek.commands.console import bar

    with bar() as progress:
        release(checkpoint, plan, out, progress)


if __name__ == "__main__":
    typer.run(main)
