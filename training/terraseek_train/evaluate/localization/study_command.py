"""`terraseek evaluate localization-study`."""

from pathlib import Path

import typer

from terraseek.commands.console import bar, note, print_json
from terraseek.encoders.registry import DEFAULT_MODEL

__all__ = ["localization_study"]


def localization_study(
    sets: list[Path] = typer.Argument(
        ..., help="Folders with anno.json, and the scenes beside it or in imgs."
    ),
    quick: bool = typer.Option(False, "--quick", help="Only the defaults of the methods."),
    only: list[str] = typer.Option(
        [], "--only", help="Only rows whose name contains this text; repeatable."
    ),
    sentences: int | None = typer.Option(
        None, "--sentences", min=1, help="Largest number of sentences per scene."
    ),
    stability_scenes: int = typer.Option(
        1, "--stability-scenes", min=0, help="Scenes of each set on which stability is measured."
    ),
    significance: bool = typer.Option(
        False, "--significance", help="Also measure true and false positives of significance."
    ),
    out: Path | None = typer.Option(
        None, "--out", help="File of the records; those it has already are not measured again."
    ),
    markdown: Path | None = typer.Option(
        None, "--markdown", help="Document whose study tables are replaced."
    ),
    card: Path | None = typer.Option(
        None, "--card", help="Model card (JSON) into which the scores of method dense are written."
    ),
    model: str = typer.Option(DEFAULT_MODEL, "--model", help="Name of the model."),
    device: str = typer.Option("auto", "--device", help="auto, cpu or cuda."),
    as_json: bool = typer.Option(False, "--json", help="Print the records as JSON."),
    steady: int | None = typer.Option(None, "--steady", min=0, hidden=True),
    verdicts: bool = typer.Option(False, "--verdicts", hidden=True),
) -> None:
    """Compare methods and scale sets on annotated scenes: quality, and stability."""
    from terraseek.encoders.load import load_encoder
    from terraseek.localization import LocalizeOptions
    from terraseek_train.evaluate.localization.detection import (
        detection,
        detection_table,
        measure_detection,
    )
    from terraseek_train.evaluate.localization.study import Study, StudySet, variants
    from terraseek_train.evaluate.localization.study_table import (
        BEGIN,
        END,
        tables,
        write_dense_score,
    )
    from terraseek_train.evaluate.markdown import replace_between_markers

    if steady is not None:
        note("--steady is now --stability-scenes; the old name will go with the next release")
        stability_scenes = steady
    if verdicts:
        note("--verdicts is now --significance; the old name will go with the next release")
    opened = [StudySet.open(folder, sentences) for folder in sets]
    chosen = [v for v in variants(quick) if not only or any(text in v.name for text in only)]
    if not chosen:
        names = "; ".join(variant.name for variant in variants())
        raise typer.BadParameter(f"no row contains {' or '.join(only)}; there are {names}")
    encoder = load_encoder(model, device)
    if encoder.dense is None:
        note(f"note: {model} has no feature map; method dense is left out")
        chosen = [variant for variant in chosen if variant.method != "dense"]
    study = Study(encoder, out)
    with bar() as progress:
        for data in opened:
            study.measure(data, chosen, stability_scenes, progress)
        detections = [
            (data.name, detection(measure_detection(data, encoder, LocalizeOptions(), progress)))
            for data in opened
            if significance or verdicts
        ]
    text = tables(study.records) + detection_table(detections)
    if as_json:
        by_set = {name: found.to_json() for name, found in detections}
        print_json({"records": study.records, "verdicts": by_set})
    else:
        typer.echo(text)
    if markdown:
        replace_between_markers(markdown, text, BEGIN, END)
    if card:
        write_dense_score(card, study.records)
