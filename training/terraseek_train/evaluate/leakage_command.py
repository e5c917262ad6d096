"""`terraseek evaluate leakage`: find evaluation images in the training data."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from terraseek.commands.console import bar, print_json
from terraseek.errors import ConfigError
from terraseek.files import home

if TYPE_CHECKING:
    from terraseek_train.config import DataSource
    from terraseek_train.data.leakage import Leak

__all__ = ["leakage"]

_MAX_ROWS = 50


def leakage(
    train: list[str] = typer.Option(
        [],
        "--train",
        help="Folder, tar or shards of training images, or IMAGES,CAPTIONS,SPLIT; repeatable.",
    ),
    evaluation: list[str] = typer.Option(
        [], "--eval", help="The same for evaluation images; repeatable."
    ),
    config: Path | None = typer.Option(
        None, "--config", help="Use the training sources and validation sets of a config."
    ),
    cache: Path | None = typer.Option(
        None, "--cache", help="Folder that keeps fingerprints; default in the user's folder."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object on stdout."),
) -> None:
    """Find images of evaluation sets in training sets; exit code 1 if there are any.

    Copies are found even if they are turned, mirrored, resized, recompressed or brightened.
    """
    from terraseek_train.config import load_config
    from terraseek_train.data.leakage import MAX_BITS, MIN_CORRELATION, find_source_leaks

    train_sources = [_source(text) for text in train]
    eval_sources = [_source(text) for text in evaluation]
    if config:
        settings = load_config(config)
        train_sources += settings.data
        eval_sources += [s for s in (settings.val, *settings.val_extra) if s is not None]
    if not (train_sources and eval_sources):
        raise ConfigError("give training images and evaluation images: --train and --eval")
    cache = cache or home() / "fingerprints"
    with bar() as progress:
        leaks = find_source_leaks(train_sources, eval_sources, cache, progress)
    if as_json:
        thresholds = {"most_bits": MAX_BITS, "least_correlation": MIN_CORRELATION}
        pairs = [asdict(leak) for leak in leaks]
        print_json({"n_pairs": len(leaks), **thresholds, "pairs": pairs})
    else:
        _table(leaks)
    if leaks:
        raise typer.Exit(1)


def _source(text: str) -> "DataSource":
    from terraseek_train.config import DataSource

    images, *more = text.split(",")
    if len(more) > 2:
        raise ConfigError(f"{text!r} must be IMAGES or IMAGES,CAPTIONS or IMAGES,CAPTIONS,SPLIT")
    captions, split = (*more, None, None)[:2]
    name = Path(images).name + (f" {split}" if split else "")
    return DataSource(name, images, captions or None, split=split or None)


def _table(leaks: "list[Leak]") -> None:
    if leaks:
        typer.echo("bits  correlation  evaluation image = training image")
    for leak in leaks[:_MAX_ROWS]:
        typer.echo(
            f"{leak.bits:4}  {leak.correlation:11.3f}  {leak.eval_source}: {leak.eval} = "
            f"{leak.train_source}: {leak.train}"
        )
    if len(leaks) > _MAX_ROWS:
        typer.echo(f"... and {len(leaks) - _MAX_ROWS} more; --json lists all")
    count = len({(leak.eval_source, leak.eval) for leak in leaks})
    typer.echo(f"{count} evaluation images are in the training data ({len(leaks)} pairs)")
