"""`terraseek train`, and registration of the evaluation, localization-set and study commands."""

from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from terraseek.cli import empty_app, run
from terraseek.commands.console import bar, note, print_json
from terraseek_train.corpus import commands as corpus_commands
from terraseek_train.evaluate import commands as evaluate_commands
from terraseek_train.evaluate.localization import commands as localization_commands
from terraseek_train.release.calibrate import calibrate
from terraseek_train.study import commands as study_commands

__all__ = ["main", "register"]


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    group = typer.Typer(help="Measure an encoder with published protocols.", no_args_is_help=True)
    evaluate_commands.register(group)
    localization_commands.register(app, group)
    app.add_typer(group, name="evaluate")
    app.command("train")(train)
    study_commands.register(app)
    corpus_commands.register(app)
    for models in app.registered_groups:
        if models.name == "models" and models.typer_instance is not None:
            models.typer_instance.command("calibrate")(calibrate)


def main() -> None:
    """Run `terraseek-train`, which has these commands only."""
    run(_app)


def _app() -> typer.Typer:
    app = empty_app("terraseek-train", "Train, measure and compare encoders.")
    register(app)
    return app


def train(
    config: Path = typer.Argument(
        ..., help="Settings as JSON, as in training/recipes.", dir_okay=False, exists=True
    ),
    try_only: bool = typer.Option(
        False,
        "--dry-run",
        help="Two steps on made images from random weights, to check a recipe without its data.",
    ),
) -> None:
    """Train an encoder, or resume an interrupted training.

    The config's "out" names the run's folder, which gets model.safetensors, config.json and
    metrics.json (of the best weights on "val"), and log.jsonl. After an interruption the same
    command resumes from the last checkpoint ("save_every" steps) with the same losses. Several
    processes share a batch with: torchrun --nproc-per-node N -m terraseek_train.train CONFIG
    """
    from terraseek_train.config import load_config
    from terraseek_train.dry_run import dry_run
    from terraseek_train.train import train as run_training

    if try_only:
        with TemporaryDirectory() as made, bar() as progress:
            found = dry_run(load_config(config, keep_unset=True), Path(made), progress=progress)
        print_json(found.to_json())
        return
    settings = load_config(config)
    with bar() as progress:
        folder = run_training(settings, progress)
    note(f"checkpoint in {folder}")
