"""`terraseek evaluate suite`: the papers' tables by one command."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from terraseek.commands.console import bar, print_json
from terraseek.encoders.registry import DEFAULT_MODEL

if TYPE_CHECKING:
    from terraseek_train.evaluate.suite import Measured

__all__ = ["suite"]


def suite(
    root: Path = typer.Option(..., "--data", help="Folder of the benchmarks, see data/README.md."),
    sets: str = typer.Option("", "--sets", help="Names, such as eurosat,aid; default all."),
    model: str = typer.Option(DEFAULT_MODEL, "--model", help="Name of the model."),
    device: str = typer.Option("auto", "--device", help="auto, cpu or cuda."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object on stdout."),
) -> None:
    """Zero-shot, retrieval and localization figures of all published sets that are there."""
    from terraseek.encoders.load import load_encoder
    from terraseek_train.evaluate.suite import measure_suite

    names = [name.strip() for name in sets.split(",") if name.strip()]
    encoder = load_encoder(model, device)
    with bar() as progress:
        measured = measure_suite(root, encoder, names, progress)
    if as_json:
        results = [one.to_json() for one in measured]
        print_json({"model": model, "encoder_id": encoder.encoder_id, "results": results})
        return
    for one in measured:
        typer.echo(_line(one))
    typer.echo(f"model {encoder.encoder_id}; 95 % intervals by bootstrap")


def _line(one: "Measured") -> str:
    if one.value is None:
        return f"{one.name:12} not there; expected {one.missing}"
    ends = "" if one.interval is None else f" [{one.interval[0]:g}, {one.interval[1]:g}]"
    size = f"{one.n_images:,} images" + ("" if one.complete else ", not the whole set")
    described = ""
    if one.described is not None:
        described = f"; {one.described:g} with hand-written class names"
    return f"{one.name:12} {one.measure} {one.value:g}{ends}{described}; {size}"
