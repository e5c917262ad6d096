"""`terraseek evaluate localization-places`."""

from dataclasses import asdict
from pathlib import Path

import typer

from terraseek.commands.console import bar, print_json
from terraseek.encoders.registry import DEFAULT_MODEL

__all__ = ["localization_places"]


def localization_places(
    sets: list[Path] = typer.Argument(
        ..., help="Folders with anno.json, and the scenes beside it or in imgs."
    ),
    sentences: int | None = typer.Option(
        None, "--sentences", min=1, help="Largest number of sentences per scene."
    ),
    model: str = typer.Option(DEFAULT_MODEL, "--model", help="Name of the model."),
    device: str = typer.Option("auto", "--device", help="auto, cpu or cuda."),
    card: Path | None = typer.Option(
        None,
        "--card",
        help="Fit the levels of places on every second scene, write them into this model card "
        "(JSON) and measure the other scenes.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the counts as JSON."),
) -> None:
    """Measure how many regions that heat maps call likely, or possible, hold what was asked for."""
    from terraseek.encoders.load import load_encoder
    from terraseek.localization import LocalizeOptions
    from terraseek_train.evaluate.localization.place_card import without_places, write_places
    from terraseek_train.evaluate.localization.places import (
        fit_places,
        halves,
        measure_places,
        place_table,
        precisions,
        with_levels_of,
    )
    from terraseek_train.evaluate.localization.study import StudySet

    opened = [StudySet.open(folder, sentences) for folder in sets]
    encoder = load_encoder(model, device)
    if card:
        encoder.card = without_places(encoder.card)
    with bar() as progress:
        places = [measure_places(data, encoder, LocalizeOptions(), progress) for data in opened]
    if card:
        fitted = fit_places([place for one in places for place in halves(one)[0]])
        places = [with_levels_of(fitted, halves(one)[1]) for one in places]
        write_places(card, fitted)
    results = [(data.name, precisions(one)) for data, one in zip(opened, places, strict=True)]
    if len(opened) > 1:
        results.append(("all", precisions([place for one in places for place in one])))
    if as_json:
        print_json({name: [asdict(row) for row in rows] for name, rows in results})
    else:
        typer.echo(place_table(results))
