"""`terraseek train`; registers the commands of evaluation, localization sets and studies too."""

from pathlib import Path

import typer

from terraseek.cli import empty_app, run
from terraseek.commands.console import bar, note
from terraseek_train.evaluate import commands as evaluate_commands
from terraseek_train.evaluate.localization import commands
from terraseek_train.study import commands as study_commands

__all__ = ["main", "register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Measure an encoder as the papers do.", no_args_is_help=True)
    evaluate_commands.register(group)
    commands.register(app, group)
    app.add_typer(group, name="evaluate")
    app.command("train")(train)
    study_commands.register(app)


def main() -> None:
    """Entry point `terraseek-train`: these commands alone, `terraseek-train study CONFIG`."""
    run(_app)


def _app() -> typer.Typer:
    app = empty_app("terraseek-train", "Train, measure and compare encoders.")
    register(app)
    return app


def train(
    config: Path = typer.Argument(
        ..., help="Settings as JSON, as in training/recipes.", dir_okay=False, exists=True
    ),
) -> None:
    """Train an encoder, or go on with a training that was interrupted.

    The folder that the config's "out" names gets model.safetensors, config.json, metrics.json (of
    the best weights on "val") and log.jsonl; the same command after an interruption goes on from
    the last "save_every" steps with the same losses. Several processes share a batch with:
    torchrun --nproc-per-node N -m terraseek_train.train CONFIG
    """
    from terraseek_train.config import load_config
    from terraseek_train.train import train as run

    settings = load_config(config)
    with bar() as progress:
        folder = run(settings, progress)
    note(f"checkpoint in {folder}")
