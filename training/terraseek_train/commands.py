"""`terraseek evaluate retrieval|zeroshot` and `terraseek train`; registers localization's too."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from terraseek.commands.console import bar, note, print_json
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek_train import localization_commands

if TYPE_CHECKING:
    from terraseek_train.evaluate.zeroshot import ZeroShotScore

__all__ = ["register"]

_IMAGES = typer.Option(..., "--images", help="Folder, tar, or folder of RS5M shards.")
_MODEL = typer.Option(DEFAULT_MODEL, "--model", help="Name of the model.")
_DEVICE = typer.Option("auto", "--device", help="auto, cpu or cuda.")
_JSON = typer.Option(False, "--json", help="Print one JSON object on stdout.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Measure an encoder as the papers do.", no_args_is_help=True)
    group.command("retrieval")(retrieval)
    group.command("zeroshot")(zeroshot)
    localization_commands.register(app, group)
    app.add_typer(group, name="evaluate")
    app.command("train")(train)


def retrieval(
    images: Path = _IMAGES,
    captions: Path = typer.Option(
        ..., "--captions", help="RSICD-style JSON, or CSV with filename,title."
    ),
    split: str | None = typer.Option(None, "--split", help="Split of the JSON; default all."),
    model: str = _MODEL,
    device: str = _DEVICE,
    as_json: bool = _JSON,
) -> None:
    """Image-to-text and text-to-image recall at 1, 5 and 10, and their mean mR, in percent."""
    from terraseek.encoders.load import load_encoder
    from terraseek_train.evaluate.run import evaluate_retrieval

    encoder = load_encoder(model, device)
    with bar() as progress:
        score = asdict(evaluate_retrieval(images, captions, encoder, split, progress))
    if as_json:
        print_json(score)
        return
    print(f"{'':14}   R@1     R@5     R@10")
    for label, way in (("image to text", "i2t"), ("text to image", "t2i")):
        print(f"{label:14}" + "".join(f"{score[f'{way}_r{k}']:7.2f} " for k in (1, 5, 10)))
    print(f"mR {score['mR']:.2f}   {score['n_images']} pictures, {score['n_captions']} captions")


def zeroshot(
    images: Path = _IMAGES,
    classnames: Path | None = typer.Option(
        None, "--classnames", help="One name a line, in the order of the sorted class folders."
    ),
    prompts: str = typer.Option("rs105", "--prompts", help="rs105 or plain."),
    labels: Path | None = typer.Option(
        None, "--labels", help="CSV with img_name,label, for shards without class folders."
    ),
    model: str = _MODEL,
    device: str = _DEVICE,
    as_json: bool = _JSON,
) -> None:
    """Top-1 accuracy in percent of pictures sorted into classes by sentences alone."""
    from terraseek.encoders.load import load_encoder
    from terraseek_train.evaluate.run import evaluate_zeroshot

    names = None
    if classnames:
        lines = classnames.read_text(encoding="utf-8").splitlines()
        names = [line.strip() for line in lines if line.strip()]
    encoder = load_encoder(model, device)
    with bar() as progress:
        score, called = evaluate_zeroshot(images, encoder, names, prompts, labels, progress)
    if as_json:
        print_json(_headline(score))
        return
    for name, accuracy, row in zip(called, score.per_class, score.confusion, strict=True):
        wrong = [(count, other) for count, other in zip(row, called, strict=True) if other != name]
        worst = max(wrong, key=lambda pair: int(pair[0]))
        said = f"{int(row.sum())} pictures, most often taken for {worst[1]}"
        print(f"{name:28} {accuracy:6.2f}   {said}")
    print(f"top-1 {score.top1:.2f}   {score.n_images} pictures, {score.n_classes} classes")


def _headline(score: "ZeroShotScore") -> dict[str, Any]:
    return {"top1": score.top1, "n_images": score.n_images, "n_classes": score.n_classes}


def train(config: Path = typer.Argument(..., help="Settings as JSON.")) -> None:
    """Train an encoder, or go on with a training that was interrupted."""
    from terraseek_train.config import load_config
    from terraseek_train.train import train as run

    settings = load_config(config)
    with bar() as progress:
        folder = run(settings, progress)
    note(f"checkpoint in {folder}")
