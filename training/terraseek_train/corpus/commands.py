"""`terraseek corpus`: build a corpus by a recipe, and say what happened to its items."""

from pathlib import Path

import typer

from terraseek.commands.console import (
    AddressOption,
    JsonOption,
    TaskEngineOption,
    WorkersOption,
    bar,
    note,
    print_json,
)
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.parallel.opening import open_task_engine

__all__ = ["register"]

_OUT = typer.Argument(..., help="Folder of the corpus, the recipe's out.", file_okay=False)


def register(app: typer.Typer) -> None:
    """Add the group `corpus`."""
    group = typer.Typer(help="Build a corpus from web captions and archives.", no_args_is_help=True)
    group.command("run")(run)
    group.command("status")(status)
    group.command("explain")(explain)
    group.command("plan")(plan)
    group.command("detector")(detector)
    app.add_typer(group, name="corpus")


def run(
    recipe: Path = typer.Argument(..., help="Recipe as JSON.", dir_okay=False, exists=True),
    workers: WorkersOption = None,
    engine: TaskEngineOption = "local",
    address: AddressOption = None,
    write: bool = typer.Option(
        True, "--write/--no-write", help="Write shards, catalogue, data card and report at the end."
    ),
    as_json: JsonOption = False,
) -> None:
    """Run the stages of a recipe; work that is done and has not changed is not done again.

    The accepted items become shards in RS5M's layout, a catalogue, a data card and a report.

    Exit code 1 if a shard failed; the next run tries it again.
    """
    from terraseek_train.corpus.leakage.texts import shared_data_lines
    from terraseek_train.corpus.output.finish import finish_corpus
    from terraseek_train.corpus.output.shards import without_image
    from terraseek_train.corpus.recipe import load_recipe
    from terraseek_train.corpus.run import run_recipe

    settings = load_recipe(recipe)
    for line in shared_data_lines(settings):
        note(line)
    with bar() as progress, open_task_engine(engine, workers, address) as running:
        shards = run_recipe(settings, running, progress)
        if write:
            finish_corpus(settings, shards, progress)
    if bare := without_image(shards):
        note(
            f"{bare:,} items have an address and no image: they are in the table "
            "shards/without_images.parquet and in the catalogue, not in the shards; the stage "
            "download gets the images"
        )
    _show(Path(settings.out), as_json)


def status(out: Path = _OUT, as_json: JsonOption = False) -> None:
    """Show counts, rejections and rates of each stage; exit code 1 if a shard failed."""
    _show(out, as_json)


def _show(out: Path, as_json: bool) -> None:
    from terraseek_train.corpus.leakage.texts import leakage_text
    from terraseek_train.corpus.recipe import stored_recipe
    from terraseek_train.corpus.status import read_status, status_lines

    stages = read_status(out)
    note(leakage_text(stored_recipe(out), stages))
    if as_json:
        print_json(stages)
    else:
        for line in status_lines(stages):
            typer.echo(line)
    failed = [(s["name"], shard, error) for s in stages for shard, error in s["failed"].items()]
    for name, shard, error in failed:
        note(f"stage {name}, shard {shard} failed: {error}")
    if failed:
        raise typer.Exit(1)


def plan(
    out: Path = _OUT,
    images: int = typer.Option(5_000_000, "--images", min=1, help="Items of the larger corpus."),
    cores: int = typer.Option(64, "--cores", min=1, help="Cores of all machines together."),
    as_json: JsonOption = False,
) -> None:
    """Say what a larger corpus by the same recipe needs: core-hours and bytes of each stage."""
    from dataclasses import asdict

    from terraseek_train.corpus.output.plan import plan_corpus, plan_lines, stage_bytes
    from terraseek_train.corpus.status import read_status

    stages = read_status(out)
    plans = plan_corpus(stages, stage_bytes(out, stages), images)
    if as_json:
        print_json([asdict(one) for one in plans])
        return
    for line in plan_lines(plans, cores):
        typer.echo(line)


def explain(
    out: Path = _OUT,
    item: str = typer.Argument(..., help="Id of the item (source/key), or its address."),
    as_json: JsonOption = False,
) -> None:
    """Say what each stage did with one item, and why it was rejected."""
    from terraseek_train.corpus.explain import explain_item

    history = explain_item(out, item)
    if as_json:
        print_json(history)
        return
    for step in history:
        reason = f": {step['reason']}" if step["reason"] else ""
        typer.echo(f"{step['stage']}: {step['outcome']}{reason}")
        for name, value in step["changes"].items():
            typer.echo(f"    {name} = {value}")


def detector(
    out: Path = typer.Option(..., "--out", help="File of the detector, .npz."),
    overhead: list[str] = typer.Option(
        ..., "--overhead", help="Source of overhead imagery; repeatable."
    ),
    ground: list[str] = typer.Option(
        [], "--ground", help="Folder of photographs taken on the ground; repeatable."
    ),
    images: int = typer.Option(1000, "--images", min=40, help="Overhead images to train on."),
    model: str = typer.Option(DEFAULT_MODEL, "--model", help="Name of the encoder."),
    seed: int = typer.Option(0, "--seed", help="Seed of crops and of drawn graphics."),
    as_json: JsonOption = False,
) -> None:
    """Train the detector of overhead imagery that the stage `outliers` uses.

    Negatives are photographs that scikit-image ships or you give, and graphics drawn by code.
    """
    from terraseek_train.corpus.detector.train import DetectorConfig, train_detector

    config = DetectorConfig(
        str(out), tuple(overhead), tuple(ground), images=images, model=model, seed=seed
    )
    with bar() as progress:
        facts = train_detector(config, progress)
    if as_json:
        print_json(facts)
        return
    for split in ("train", "test"):
        called = ", ".join(
            f"{kind} {found['overhead']} of {found['images']}"
            for kind, found in facts[split]["called"].items()
        )
        typer.echo(f"{split}: accuracy {facts[split]['accuracy']:.1%}; called overhead: {called}")
