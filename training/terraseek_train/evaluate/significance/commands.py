"""`terraseek evaluate significance`: how often the significance of answers is right."""

import os
from pathlib import Path
from typing import Any

import typer

from terraseek.commands.console import bar, note, print_json
from terraseek.encoders.registry import DEFAULT_MODEL

__all__ = ["significance"]

_DATA = "TERRASEEK_DATA"


def significance(
    data: Path | None = typer.Option(
        None, "--data", help="Folder of the data sets; default $TERRASEEK_DATA or ../shared/data."
    ),
    model: str = typer.Option(DEFAULT_MODEL, "--model", help="Name of the model."),
    scenes: bool = typer.Option(True, "--scenes/--no-scenes", help="Also measure scenes."),
    cache: Path | None = typer.Option(
        None, "--cache", help="Folder for vectors and mosaics; default below TERRASEEK_HOME."
    ),
    refit: bool = typer.Option(
        False, "--refit", help="Fit weights and thresholds on the choosing half first."
    ),
    card: Path | None = typer.Option(
        None, "--card", help="Card file to write the fitted values to; with --refit."
    ),
    device: str = typer.Option("auto", "--device", help="auto, cpu or cuda."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object on stdout."),
) -> None:
    """Search and localize sentences that are present, absent, absurd, foreign or empty.

    Sentences and data sets are split into a half for fitting and choosing, and one that is only
    reported. With --refit the fitted values are used, and printed with --json.
    """
    from terraseek.encoders.load import load_encoder
    from terraseek.errors import ConfigError
    from terraseek.files import home
    from terraseek_train.evaluate.significance.catalogues import catalogue_sets, scene_sets
    from terraseek_train.evaluate.significance.fitting import fitted_or_shipped, write_fitted
    from terraseek_train.evaluate.significance.measure import known_queries
    from terraseek_train.evaluate.significance.report import results_of, table_lines

    if card is not None and not refit:
        raise ConfigError("--card writes fitted values; give --refit as well")
    folder = data or Path(os.environ.get(_DATA, "../shared/data"))
    kept = cache or home() / "significance" / "benchmark"
    encoder = load_encoder(model, device)
    with bar() as progress:
        pairs = {"search": known_queries(catalogue_sets(folder, encoder, kept, progress), encoder)}
        if scenes:
            found = scene_sets(folder, encoder, kept, progress=progress)
            pairs["scene"] = known_queries(found, encoder)
    models = fitted_or_shipped(pairs, encoder.card, refit)
    results: dict[str, Any] = {"model": encoder.encoder_id} | results_of(pairs, models)
    if card is not None:
        write_fitted(card, models)
        note(f"fitted values written to {card}")
    if as_json:
        print_json(results)
        return
    print("\n".join(table_lines(results)))
