"""`terraseek evaluate leakage`: are images one measures on among those one trains on?"""

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

_MOST_ROWS = 50


def leakage(
    train: list[str] = typer.Option(
        [],
        "--train",
        help="Folder, tar or shards of training pictures, or IMAGES,CAPTIONS,SPLIT; repeatable.",
    ),
    held: list[str] = typer.Option(
        [], "--eval", help="The same for pictures one measures on; repeatable."
    ),
    config: Path | None = typer.Option(
        None, "--config", help="Take the training sources, and the validation splits, of a config."
    ),
    cache: Path | None = typer.Option(
        None, "--cache", help="Folder that keeps fingerprints; default in the user's folder."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object on stdout."),
) -> None:
    """Images of evaluation sets that are in training sets too; exit code 1 if there are any.

    Copies are found though they are turned, mirrored, resized, recompressed or brightened.
    """
    from terraseek_train.config import load_config
    from terraseek_train.data.leakage import LEAST_CORRELATION, MOST_BITS, sources_leaks

    ours, theirs = [_source(text) for text in train], [_source(text) for text in held]
    if config:
        settings = load_config(config)
        ours += settings.data
        theirs += [s for s in (settings.val, *settings.val_extra) if s is not None]
    if not (ours and theirs):
        raise ConfigError("give training pictures and pictures to measure on: --train and --eval")
    with bar() as progress:
        found = sources_leaks(ours, theirs, cache or home() / "fingerprints", progress)
    if as_json:
        rule = {"most_bits": MOST_BITS, "least_correlation": LEAST_CORRELATION}
        print_json({"n_pairs": len(found), **rule, "pairs": [asdict(leak) for leak in found]})
    else:
        _table(found)
    if found:
        raise typer.Exit(1)


def _source(text: str) -> "DataSource":
    from terraseek_train.config import DataSource

    images, *more = text.split(",")
    if len(more) > 2:
        raise ConfigError(f"{text!r} must be IMAGES or IMAGES,CAPTIONS or IMAGES,CAPTIONS,SPLIT")
    captions, split = (*more, None, None)[:2]
    name = Path(images).name + (f" {split}" if split else "")
    return DataSource(name, images, captions or None, split=split or None)


def _table(found: "list[Leak]") -> None:
    if found:
        typer.echo("bits  correlation  evaluation picture = training picture")
    for leak in found[:_MOST_ROWS]:
        typer.echo(
            f"{leak.bits:4}  {leak.correlation:11.3f}  {leak.eval_source}: {leak.eval} = "
            f"{leak.train_source}: {leak.train}"
        )
    if len(found) > _MOST_ROWS:
        typer.echo(f"... and {len(found) - _MOST_ROWS} more; --json lists all")
    held = len({(leak.eval_source, leak.eval) for leak in found})
    typer.echo(f"{held} evaluation pictures are in the training data ({len(found)} pairs)")
