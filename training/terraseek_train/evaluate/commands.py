"""`terraseek evaluate retrieval` and `zeroshot`: numbers with intervals, for one model or two."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from terraseek.commands.console import bar, note, print_json
from terraseek.encoders.registry import DEFAULT_MODEL, get_card
from terraseek.errors import QueryError
from terraseek_train.evaluate.leakage_command import leakage
from terraseek_train.evaluate.significance.commands import significance
from terraseek_train.evaluate.suite_command import suite

if TYPE_CHECKING:
    from terraseek_train.evaluate.published import Run
    from terraseek_train.evaluate.report import Result
    from terraseek_train.evaluate.zeroshot import ZeroShotScore

__all__ = ["COMPARE", "register", "show"]

_IMAGES = typer.Option(..., "--images", help="Folder, tar, or folder of RS5M shards.")
_MODEL = typer.Option(DEFAULT_MODEL, "--model", help="Name of the model.")
COMPARE = typer.Option(
    None, "--compare", metavar="A B", help="Measure two models, with their paired differences."
)
_DEVICE = typer.Option("auto", "--device", help="auto, cpu or cuda.")
_JSON = typer.Option(False, "--json", help="Print one JSON object on stdout.")
_RECALLS = {
    f"{way}_r{k}": f"{words} R@{k}"
    for way, words in (("i2t", "image to text"), ("t2i", "text to image"))
    for k in (1, 5, 10)
}


def register(group: typer.Typer) -> None:
    """Add the commands to the group `evaluate`."""
    group.command("retrieval")(retrieval)
    group.command("zeroshot")(zeroshot)
    group.command("leakage")(leakage)
    group.command("suite")(suite)
    group.command("significance")(significance)


def show(
    models: tuple[str, ...],
    measure: Callable[[str], "Result"],
    labels: dict[str, str],
    as_json: bool,
    digits: int = 2,
) -> list["Result"]:
    """Measure one model or two, and print JSON, or the comparison of two models.

    Args:
        models: names of one or two models.
        measure: measures a model by its name.
        labels: label of each headline number.
        as_json: print JSON, also for one model.
        digits: decimals.

    Returns:
        The results; the table of one model is printed by the caller.
    """
    from terraseek_train.evaluate.report import comparison, comparison_lines

    for model in models:  # an unknown second name fails before the first model is measured
        if model != "fake":
            get_card(model)
    results = [measure(model) for model in models]
    first, last = results[0], results[-1]
    if as_json:
        print_json(first.to_json(digits) if len(results) == 1 else comparison(first, last, digits))
    elif len(results) == 2:
        print("\n".join(comparison_lines(first, last, labels, digits)))
    return results


def _print_published(results: list["Result"], labels: dict[str, str]) -> None:
    """Print what was published for the models of these results."""
    from terraseek_train.evaluate.published import published_lines

    for result in results:
        for line in published_lines(result.published, labels):
            print(line if len(results) == 1 else f"{result.model}: {line}")


def _published(model: str, run: "Run", score: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    from terraseek_train.evaluate.published import published_beside

    return () if model == "fake" else published_beside(get_card(model), run, score)


def retrieval(
    images: Path = _IMAGES,
    captions: Path = typer.Option(
        ..., "--captions", help="JSON of RSICD's or NWPU-Captions' layout, or CSV filename,title."
    ),
    split: str | None = typer.Option(None, "--split", help="Split of the JSON; default all."),
    rerank: int = typer.Option(
        0,
        "--rerank",
        min=0,
        help="Also re-rank the first K answers by reversed retrieval (iEBAKER), reported apart: it "
        "uses the whole set of queries.",
    ),
    model: str = _MODEL,
    compare: tuple[str, str] | None = COMPARE,
    device: str = _DEVICE,
    as_json: bool = _JSON,
) -> None:
    """Image-to-text and text-to-image recall at 1, 5 and 10, and their mean mR, in percent."""
    from terraseek.encoders.load import load_encoder
    from terraseek_train.evaluate.published import Run
    from terraseek_train.evaluate.report import Result, figure
    from terraseek_train.evaluate.run import measure_retrieval

    def measure(name: str) -> Result:
        encoder = load_encoder(name, device)
        with bar() as progress:
            retrieved = measure_retrieval(images, captions, encoder, split, progress, rerank)
        score = asdict(retrieved.score())
        facts = {key: score[key] for key in ("n_images", "n_captions")} | {"prefix": ""}
        run = Run("retrieval", captions, facts | {"split": split})
        published = _published(name, run, score)
        if retrieved.reranked is not None:
            score["reranked"] = asdict(retrieved.reranked.score()) | {"answers": rerank}
        return Result(name, score, (retrieved.unit_sums(),), published)

    labels = _RECALLS | {"mR": "mR"}
    results = show(compare or (model,), measure, labels, as_json)
    score = results[0].score
    size = f"{score['n_images']} images, {score['n_captions']} captions"
    if rerank and not as_json:
        for result in results:
            print(
                f"{result.model}: mR {result.score['reranked']['mR']:.2f} with the first {rerank} "
                "answers re-ranked by the set of queries, not comparable with single queries"
            )
    if compare and not as_json:
        print(size)
        _print_published(results, labels)
    if compare or as_json:
        return
    ends = results[0].intervals()
    print(f"{'':14} " + "".join(f"{f'R@{k}':22}" for k in (1, 5, 10)).rstrip())
    for label, way in (("image to text", "i2t"), ("text to image", "t2i")):
        keys = [f"{way}_r{k}" for k in (1, 5, 10)]
        cells = "".join(f"{figure(score[key], ends[key]):22}" for key in keys)
        print(f"{label:14} {cells}".rstrip())
    print(f"mR {figure(score['mR'], ends['mR'])}   {size}")
    _print_published(results, labels)


def zeroshot(
    images: Path = _IMAGES,
    classnames: Path | None = typer.Option(
        None,
        "--classnames",
        help="One name a line, in the order of the sorted class folders; or the name of a "
        "benchmark with hand-written names, such as eurosat. The figure by folder names is given, "
        "too.",
    ),
    prompts: str = typer.Option("rs105", "--prompts", help="rs105 or plain."),
    labels: Path | None = typer.Option(
        None, "--labels", help="CSV with img_name,label, for shards without class folders."
    ),
    confusion: Path | None = typer.Option(
        None, "--confusion", help="Draw the confusion matrix: FILE.png or FILE.html."
    ),
    model: str = _MODEL,
    compare: tuple[str, str] | None = COMPARE,
    device: str = _DEVICE,
    as_json: bool = _JSON,
) -> None:
    """Top-1 accuracy in percent of zero-shot classification."""
    from terraseek.encoders.load import load_encoder
    from terraseek_train.evaluate.confusion import check_suffix, draw_confusion
    from terraseek_train.evaluate.published import Run
    from terraseek_train.evaluate.report import Result
    from terraseek_train.evaluate.run import encode_labelled, read_class_names

    if confusion:
        check_suffix(confusion)
        if compare:
            raise QueryError("--confusion draws one model; leave out --compare or --confusion")
    names = read_class_names(classnames) if classnames else None
    scores: list[tuple[ZeroShotScore, list[str]]] = []

    def measure(name: str) -> Result:
        encoder = load_encoder(name, device)
        with bar() as progress:
            labelled = encode_labelled(images, encoder, labels, progress)
        class_names = names or labelled.folder_names
        score = labelled.score(encoder, class_names, prompts)
        scores.append((score, class_names))
        values = _headline(score, class_names)
        given = bool(names) and names != labelled.folder_names
        if given:
            by_folder = labelled.score(encoder, labelled.folder_names, prompts)
            values["top1_by_folder_names"] = by_folder.top1
        facts = {key: values[key] for key in ("n_images", "n_classes")} | {"prompts": prompts}
        run = Run("zeroshot", images, facts | {"names": "given" if given else "folders"})
        found = _published(name, run, values)
        return Result(name, values, (score.unit_sums(),), found)

    results = show(compare or (model,), measure, {"top1": "top-1"}, as_json)
    score, class_names = scores[0]
    if confusion:
        title = f"{model}: top-1 {score.top1:.2f} % of {score.n_images} images"
        draw_confusion(score.confusion, class_names, confusion, title)
        note(f"confusion matrix in {confusion}")
    if not as_json:
        _show_classes(results, scores)
        _print_published(results, {"top1": "top-1"})


def _headline(score: "ZeroShotScore", class_names: list[str]) -> dict[str, Any]:
    accuracies = zip(class_names, score.per_class, strict=True)
    per_class = {name: round(float(value), 2) for name, value in accuracies}
    sizes = {"top1": score.top1, "n_images": score.n_images, "n_classes": score.n_classes}
    return sizes | {"per_class": per_class, "confusion": score.confusion.tolist()}


def _show_classes(results: list["Result"], scores: "list[tuple[ZeroShotScore, list[str]]]") -> None:
    """Print accuracies per class: of both models, or of one with its most frequent error."""
    from terraseek_train.evaluate.report import figure

    for result in results:
        if "top1_by_folder_names" in result.score:
            print(
                f"{result.model}: top-1 {result.score['top1']:.2f} with the given class names, "
                f"{result.score['top1_by_folder_names']:.2f} by the published rule (folder names)"
            )
    score, class_names = scores[0]
    size = f"{score.n_images} images, {score.n_classes} classes"
    if len(scores) == 2:
        print(f"{size}; per class A, B:")
        both = zip(class_names, score.per_class, scores[1][0].per_class, strict=True)
        print("\n".join(f"{name:28} {one:6.2f} {two:6.2f}" for name, one, two in both))
        return
    for name, accuracy, row in zip(class_names, score.per_class, score.confusion, strict=True):
        counts = zip(row.tolist(), class_names, strict=True)
        errors = [(count, other) for count, other in counts if other != name]
        count, other = max(errors, key=lambda pair: pair[0])
        summary = f"{int(row.sum())} images"
        summary += f", most often confused with {other}" if count else ", all correct"
        print(f"{name:28} {accuracy:6.2f}   {summary}")
    print(f"top-1 {figure(score.top1, results[0].intervals()['top1'])}   {size}")
