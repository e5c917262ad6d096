"""`terraseek evaluate localization` and `terraseek localization-set build`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from terraseek.commands.console import bar, note
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import ConfigError, LatticeError, OutputError, QueryError
from terraseek.localization.methods.registry import METHODS
from terraseek_train.evaluate.commands import COMPARE, show

if TYPE_CHECKING:
    from terraseek_train.evaluate.localization.measure import LocalizationScore
    from terraseek_train.evaluate.report import Result

__all__ = ["evaluate_localization", "register"]

_LABELS = {name: name for name in ("Rsu", "Ras", "Rda", "Rmi")}
_LABELS |= {"roc_auc": "ROC-AUC", "average_precision": "AP"}


def register(app: typer.Typer, evaluate: typer.Typer) -> None:
    """Add three commands to the group `evaluate`, and the group `localization-set`."""
    from terraseek_train.evaluate.localization.places_command import localization_places
    from terraseek_train.evaluate.localization.study_command import localization_study

    evaluate.command("localization-places")(localization_places)
    evaluate.command("localization")(evaluate_localization)
    evaluate.command("localization-study")(localization_study)
    group = typer.Typer(help="Sets of annotated scenes.", no_args_is_help=True)
    group.command("build")(build)
    app.add_typer(group, name="localization-set")


def evaluate_localization(
    annotations: Path = typer.Option(
        ..., "--annotations", help="anno.json: list of {jpg_name, caption, points}."
    ),
    images: Path = typer.Option(..., "--images", help="Folder of the scenes."),
    method: str = typer.Option("selo-v1", "--method", help=f"One of {', '.join(METHODS)}."),
    scales: str = typer.Option(
        "", "--scales", help="Window sides in pixels, as 256,512,768; default of the method."
    ),
    limit: int | None = typer.Option(None, "--limit", min=1, help="Only the first N sentences."),
    pixel: bool = typer.Option(
        False, "--pixel", help="Also rank pixels: ROC-AUC and average precision per sentence."
    ),
    out: Path | None = typer.Option(None, "--out", help="Write one JSON record per sentence."),
    model: str = typer.Option(DEFAULT_MODEL, "--model", help="Name of the model."),
    compare: tuple[str, str] | None = COMPARE,
    device: str = typer.Option("auto", "--device", help="auto, cpu or cuda."),
    seed: int = typer.Option(0, "--seed", help="Seed of the word shuffles of selo-v2."),
    cache: bool = typer.Option(
        True, "--cache/--no-cache", help="Keep the window vectors of the scenes."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object on stdout."),
) -> None:
    """SeLo's Rsu, Ras, Rda and Rmi of sentences on annotated scenes."""
    from terraseek.encoders.load import load_encoder
    from terraseek.localization import LocalizeOptions
    from terraseek_train.evaluate.localization.measure import (
        headline,
        measure_localization,
        read_annotations,
        unit_sums,
    )
    from terraseek_train.evaluate.report import Result

    if out and compare:
        raise QueryError("--out writes one model's records; leave out --compare or --out")
    # force: the measurement decides whether method dense is available
    options = LocalizeOptions(method=method, scales=_sides(scales), seed=seed, force=True)
    entries = read_annotations(annotations)[:limit]
    measured: list[list[LocalizationScore]] = []

    def measure(name: str) -> Result:
        encoder = load_encoder(name, device)
        with bar() as progress:
            scores = measure_localization(entries, images, encoder, options, progress, pixel, cache)
        measured.append(scores)
        constant = sum(score.selo.constant for score in scores)
        if constant:
            note(f"note: {constant} of {len(scores)} maps are constant; their scores mean nothing")
        means = headline([score.selo for score in scores]) | _pixel_means(scores)
        return Result(name, means, unit_sums(scores))

    (result, *_) = show(compare or (model,), measure, _LABELS, as_json, digits=4)
    if out:
        means = {name: result.score[name] for name in ("Rsu", "Ras", "Rda", "Rmi", "n")}
        samples = _records(measured[0])
        _write(out, {"model": model, "method": method, "mean": means, "samples": samples})
    if not (as_json or compare):
        _table(measured[0], result)


def _sides(text: str) -> tuple[int, ...] | None:
    try:
        return tuple(int(side) for side in text.split(",")) if text else None
    except ValueError as error:
        raise LatticeError(
            f"--scales {text!r} is not a list of whole numbers like 256,512"
        ) from error


def _records(scores: "Sequence[LocalizationScore]") -> list[dict[str, Any]]:
    records = []
    for one in scores:
        entry, score = one.annotation, one.selo
        record: dict[str, Any] = {"jpg_name": entry.image, "caption": entry.caption}
        record |= {"Rsu": score.rsu, "Ras": score.ras, "Rda": score.rda, "Rmi": score.rmi}
        record["constant"] = score.constant
        if one.pixel:
            record["roc_auc"] = one.pixel.roc_auc
            record["average_precision"] = one.pixel.average_precision
            record["positive_share"] = one.pixel.positive_share
        records.append(record)
    return records


def _write(path: Path, value: dict[str, Any]) -> None:
    from terraseek.files import write_json

    try:
        write_json(path, value)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}); choose another folder") from error


def _pixel_means(scores: "Sequence[LocalizationScore]") -> dict[str, float]:
    """Compute the means over the sentences; empty if pixels were not ranked."""
    pixels = [one.pixel for one in scores if one.pixel]
    if not pixels:
        return {}
    return {
        "roc_auc": round(sum(one.roc_auc for one in pixels) / len(pixels), 4),
        "average_precision": round(sum(one.average_precision for one in pixels) / len(pixels), 4),
    }


def _table(scores: "Sequence[LocalizationScore]", result: "Result") -> None:
    from terraseek_train.evaluate.report import figure

    head = f"{'scene':20}   Rsu    Ras    Rda    Rmi "
    ranked = any(one.pixel for one in scores)
    typer.echo(head + ("  AUC    AP     share" if ranked else "") + "  sentence")
    for one in scores:
        score = one.selo
        row = f"{one.annotation.image[:20]:20} {score.rsu:.4f} {score.ras:.4f} "
        row += f"{score.rda:.4f} {score.rmi:.4f}"
        if one.pixel:
            row += f" {one.pixel.roc_auc:.4f} {one.pixel.average_precision:.4f}"
            row += f" {one.pixel.positive_share:.4f}"
        typer.echo(f"{row}  {one.annotation.caption}")
    for name, ends in result.intervals().items():
        typer.echo(f"{_LABELS[name]:8} {figure(result.score[name], ends, 4)}")
    typer.echo(f"n        {result.score['n']}")


def build(
    images: Path = typer.Option(
        ..., "--images", help="Class folders, or with --captions any folder or tar of images."
    ),
    out: Path = typer.Option(..., "--out", help="New folder for the scenes and anno.json."),
    captions: Path | None = typer.Option(
        None, "--captions", help="RSICD-style JSON or CSV; captions are used as queries."
    ),
    split: str | None = typer.Option(None, "--split", help="Split of the JSON; default all."),
    count: int = typer.Option(20, "--count", min=1, help="Number of scenes."),
    grid: str = typer.Option("8x8", "--grid", help="ROWSxCOLUMNS of tiles in a scene."),
    tile: int = typer.Option(256, "--tile", min=16, help="Side of a tile in pixels."),
    queries: int = typer.Option(
        3, "--queries", min=1, help="Largest number of sentences per scene."
    ),
    seed: int = typer.Option(0, "--seed", help="Same seed, same set."),
) -> None:
    """Build annotated scenes: mosaics of real images, with sentences and their tiles."""
    from terraseek_train.evaluate.localization.mosaics import SetPlan, build_set

    rows, cols = _grid(grid)
    plan = SetPlan(count=count, rows=rows, cols=cols, tile=tile, queries=queries, seed=seed)
    with bar() as progress:
        entries = build_set(images, out, plan, captions, split, progress)
    note(f"{plan.count} scenes and {len(entries)} sentences in {out}")


def _grid(text: str) -> tuple[int, int]:
    try:
        rows, cols = (int(part) for part in text.lower().split("x"))
    except ValueError as error:
        raise ConfigError(f"--grid {text!r} must be rows and columns like 8x8") from error
    return rows, cols
