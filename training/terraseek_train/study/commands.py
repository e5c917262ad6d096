"""`terraseek study`, `instruction`, `import-priorclip`: the methods, trained and compared."""

from dataclasses import asdict
from pathlib import Path

import typer

from terraseek.commands.console import bar, note, print_json

__all__ = ["register"]

_CONFIG = typer.Argument(..., help="Settings as JSON.")
_JSON = typer.Option(False, "--json", help="Print JSON on stdout.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("study")(study)
    app.command("instruction")(instruction)
    app.command("import-priorclip")(import_priorclip)


def study(
    config: Path = _CONFIG,
    ablate: list[str] = typer.Option(
        [], "--ablate", help="Leave local, ker or eba out of every EBAKER arm; repeatable."
    ),
    release_compatible: bool = typer.Option(
        False, "--release-compatible", help="EBAKER and PriorCLIP as their released code has them."
    ),
    into: Path | None = typer.Option(
        None, "--into", help="Document to put the table in, between markers named as CONFIG."
    ),
    as_json: bool = _JSON,
) -> None:
    """Train and measure a grid of methods and seeds from one base, or go on with it.

    Prints a Markdown table with intervals and paired tests, also kept beside the cells.
    """
    from terraseek_train.evaluate.markdown import replace_between_markers
    from terraseek_train.study.config import load_study, varied
    from terraseek_train.study.run import run_study

    settings = varied(load_study(config), ablate, release_compatible)
    with bar() as progress:
        results = run_study(settings, progress)
    table = (Path(settings.out) / "table.md").read_text(encoding="utf-8")
    if into is not None:
        name = config.stem
        replace_between_markers(into, table, f"<!-- {name}: begin -->", f"<!-- {name}: end -->")
    if as_json:
        print_json([asdict(result) for result in results])
        return
    print(table, end="")
    note(f"cells in {settings.out}")


def instruction(config: Path = _CONFIG, as_json: bool = _JSON) -> None:
    """Train the scene classifier that instructs PIR and PriorCLIP."""
    from terraseek_train.methods.prior.scene_classes import load_classifier_config, train_classifier

    settings = load_classifier_config(config)
    with bar() as progress:
        facts = train_classifier(settings, progress)
    if as_json:
        print_json(facts)
        return
    note(
        f"{settings.out}: {len(facts['classes'])} classes, {facts['accuracy']:.2f} % right of "
        f"{facts['held_out']} held-out pictures"
    )


def import_priorclip(
    checkpoint: Path = typer.Argument(
        ..., help="Published PriorCLIP weights (open domain).", dir_okay=False, exists=True
    ),
    out: Path = typer.Option(..., "--out", help="Folder for the two parts."),
    as_json: bool = _JSON,
) -> None:
    """Take a published PriorCLIP checkpoint apart: a plain CLIP, and the guided tower on it.

    Both are then registered with the two commands it prints.
    """
    from terraseek_train.methods.prior.released import split_released

    base, adapter = split_released(checkpoint, out)
    if as_json:
        print_json({"base": str(base), "adapter": str(adapter)})
        return
    note(f"{base} and {adapter}; register them, with a size and architecture that fit, with")
    note(f"  terraseek models add priorclip-base --arch ViT-B-32 --weights {base}")
    note(f"  terraseek models add priorclip --base priorclip-base --adapter {adapter}")
