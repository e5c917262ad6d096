"""Commands `terraseek-train study`, `instruction` and `import-priorclip`."""

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
        False, "--release-compatible", help="EBAKER and PriorCLIP as in their released code."
    ),
    into: Path | None = typer.Option(
        None,
        "--into",
        help="Document for the table, between markers with the name of CONFIG.",
    ),
    as_json: bool = _JSON,
) -> None:
    """Train and evaluate a grid of methods and seeds from one base; complete runs are kept.

    Prints a Markdown table with intervals and paired tests, also written to the study's folder.
    """
    from terraseek_train.evaluate.markdown import replace_between_markers
    from terraseek_train.study.config import load_study, vary_study
    from terraseek_train.study.run import run_study

    settings = vary_study(load_study(config), ablate, release_compatible)
    with bar() as progress:
        results = run_study(settings, progress)
    table = (Path(settings.out) / "table.md").read_text(encoding="utf-8")
    if into is not None:
        name = config.stem
        replace_between_markers(into, table, f"<!-- {name}: begin -->", f"<!-- {name}: end -->")
    if as_json:
        print_json([result.to_json() for result in results])
        return
    print(table, end="")
    note(f"runs in {settings.out}")


def instruction(config: Path = _CONFIG, as_json: bool = _JSON) -> None:
    """Train the scene classifier of the instruction encoder of PIR and PriorCLIP."""
    from terraseek_train.methods.prior.train_scene_classifier import (
        load_classifier_config,
        train_classifier,
    )

    settings = load_classifier_config(config)
    with bar() as progress:
        facts = train_classifier(settings, progress)
    if as_json:
        print_json(facts)
        return
    note(
        f"{settings.out}: {len(facts['classes'])} classes, accuracy {facts['accuracy']:.2f} % on "
        f"{facts['held_out']} held-out images"
    )


def import_priorclip(
    checkpoint: Path = typer.Argument(
        ..., help="Published PriorCLIP weights (open domain).", dir_okay=False, exists=True
    ),
    out: Path = typer.Option(..., "--out", help="Folder for the two parts."),
    as_json: bool = _JSON,
) -> None:
    """Split a published PriorCLIP checkpoint into a plain CLIP and an adapter for it.

    The two commands that it prints register both.
    """
    from terraseek_train.methods.prior.released import split_released

    base, adapter = split_released(checkpoint, out)
    if as_json:
        print_json({"base": str(base), "adapter": str(adapter)})
        return
    note(f"wrote {base} and {adapter}; register them with (the architecture must fit)")
    note(f"  terraseek models add priorclip-base --arch ViT-B-32 --weights {base}")
    note(f"  terraseek models add priorclip --base priorclip-base --adapter {adapter}")
