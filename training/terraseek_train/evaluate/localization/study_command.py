"""`terraseek evaluate localization-study`."""

from dataclasses import asdict
from pathlib import Path

import typer

from terraseek.commands.console import bar, note, print_json
from terraseek.encoders.registry import DEFAULT_MODEL

__all__ = ["localization_study"]


def localization_study(
    sets: list[Path] = typer.Argument(
        ..., help="Folders with anno.json, and the scenes beside it or in imgs."
    ),
    quick: bool = typer.Option(False, "--quick", help="Only the methods' defaults."),
    only: list[str] = typer.Option(
        [], "--only", help="Only rows whose name holds these words; repeatable."
    ),
    sentences: int | None = typer.Option(
        None, "--sentences", min=1, help="At most so many sentences of a scene."
    ),
    steady: int = typer.Option(
        1, "--steady", min=0, help="Scenes of each set on which stability is measured."
    ),
    verdicts: bool = typer.Option(
        False, "--verdicts", help="Also how often the verdict finds what is there, and is wrong."
    ),
    out: Path | None = typer.Option(
        None, "--out", help="Keep records here, and go on with those that are there."
    ),
    markdown: Path | None = typer.Option(
        None, "--markdown", help="Document whose study tables are replaced."
    ),
    card: Path | None = typer.Option(
        None, "--card", help="Model card that gets how dense compares with windows, as JSON."
    ),
    model: str = typer.Option(DEFAULT_MODEL, "--model", help="Name of the model."),
    device: str = typer.Option("auto", "--device", help="auto, cpu or cuda."),
    as_json: bool = typer.Option(False, "--json", help="Print the records as JSON."),
) -> None:
    """Methods and scale sets beside each other: quality on known truth, and stability."""
    from terraseek.encoders.load import load_encoder
    from terraseek.localization import LocalizeOptions
    from terraseek_train.evaluate.localization.detection import (
        detection,
        detection_table,
        measure_detection,
    )
    from terraseek_train.evaluate.localization.study import Study, StudySet, variants
    from terraseek_train.evaluate.localization.study_table import note_dense, place, tables

    opened = [StudySet.open(folder, sentences) for folder in sets]
    asked = [v for v in variants(quick) if not only or any(word in v.name for word in only)]
    if not asked:
        names = "; ".join(variant.name for variant in variants())
        raise typer.BadParameter(f"no row holds {' or '.join(only)}; there are {names}")
    encoder = load_encoder(model, device)
    if encoder.dense is None:
        note(f"note: {model} has no cells; method dense is left out")
        asked = [variant for variant in asked if variant.method != "dense"]
    study = Study(encoder, out)
    with bar() as progress:
        for data in opened:
            study.measure(data, asked, steady, progress)
        judged = [
            (data.name, detection(measure_detection(data, encoder, LocalizeOptions(), progress)))
            for data in opened
            if verdicts
        ]
    text = tables(study.records) + detection_table(judged)
    if as_json:
        verdict = {name: asdict(found) for name, found in judged}
        print_json({"records": study.records, "verdicts": verdict})
    else:
        typer.echo(text)
    if markdown:
        place(markdown, text)
    if card:
        note_dense(card, study.records)
