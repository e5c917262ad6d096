"""`terraseek models [list|add|remove|show|fetch]`: list, register and fetch encoders."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from terraseek.commands.console import bar, note, print_json
from terraseek.encoders.adapters import find_adapter
from terraseek.encoders.architecture import ensemble_members
from terraseek.encoders.registry import (
    DEFAULT_MODEL,
    ModelCard,
    add_adapter,
    add_model,
    get_card,
    is_user_model,
    list_models,
    remove_card,
)
from terraseek.encoders.weight_files import find_weights

__all__ = ["register"]

_NAME = typer.Argument(help="Name of the model.")
_JSON = typer.Option(False, "--json", help="Print JSON on stdout.")
_MAX_SHOWN = 2000
"""Characters of a value above which only its length is printed."""


class _ListByDefault(TyperGroup):
    """Command group whose default command is `list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's own type
        if not args or (args[0].startswith("-") and args[0] not in {"-h", "--help"}):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Encoders: list them, register your own, fetch published weights.",
        cls=_ListByDefault,
    )
    group.command("list")(show_models)
    group.command("add")(add)
    group.command("remove")(remove)
    group.command("show")(show)
    group.command("fetch")(fetch)
    app.add_typer(group, name="models")


def show_models(as_json: bool = _JSON) -> None:
    """List the shipped and added encoders (the default of `models`)."""
    cards = list_models()
    if as_json:
        print_json([_model_info(card) for card in cards])
        return
    _print_table(cards)


def add(
    name: str = _NAME,
    arch: str | None = typer.Option(
        None, help="open_clip model name, or a JSON file with a model config."
    ),
    weights: Path | None = typer.Option(None, help="Weights: .safetensors, .pt or .bin."),
    run: Path | None = typer.Option(
        None,
        help="Folder of a training run, instead of --arch and --weights; uses its best weights.",
    ),
    base: str | None = typer.Option(None, help="Model that --adapter was trained on."),
    adapter: Path | None = typer.Option(
        None, help="Folder with adapter.json and adapter.safetensors, instead of weights."
    ),
    ensemble: list[str] = typer.Option(
        [],
        metavar="MODEL[=WEIGHT]",
        help="Member of an ensemble of registered models; give it once for each. Weights are "
        "relative, 1 by default.",
    ),
    size: int | None = typer.Option(None, min=1, help="Side of the input square in pixels."),
    mean: str | None = typer.Option(None, help="Mean R,G,B of preprocessing, 0 to 1."),
    std: str | None = typer.Option(None, help="Standard deviation R,G,B of preprocessing."),
    interpolation: str | None = typer.Option(None, help="bicubic or bilinear."),
    resize_mode: str | None = typer.Option(None, help="shortest (then centre crop) or squash."),
    tokenizer: Path | None = typer.Option(
        None, help="tokenizer.json of SigLIP, SigLIP 2 or XLM-RoBERTa, for use offline."
    ),
    quickgelu: bool | None = typer.Option(
        None,
        "--quickgelu/--no-quickgelu",
        help="Activation of OpenAI's CLIP and models fine-tuned from it; by default guessed.",
    ),
    context_length: int | None = typer.Option(
        None,
        min=3,
        help="Maximum number of tokens of a text; more than the weights have are stretched as in "
        "LongCLIP.",
    ),
    title: str = typer.Option("", help="Title for display."),
    description: str = typer.Option("", help="Description, one sentence."),
    source: str = typer.Option("", help="Origin of the model."),
    licence: str = typer.Option("", help="Licence of the weights."),
    replace: bool = typer.Option(False, help="Replace an added model of the same name."),
    copy: bool = typer.Option(False, help="Copy the weights to TERRASEEK_HOME."),
) -> None:
    """Register weights, a training run, an adapter, or an ensemble of models, after a test run."""
    from terraseek.encoders.user_cards import CardOptions, run_files

    if ensemble:
        if arch or weights or run or adapter or base:
            raise typer.BadParameter("an ensemble is made of registered models; give no weights")
        from terraseek.encoders.load import add_ensemble

        card = add_ensemble(name, _members(ensemble), replace=replace)
        note(f"added {card.name}: {_architecture(card)}")
        return
    if adapter is not None or base is not None:
        if adapter is None or base is None or arch or weights or run:
            raise typer.BadParameter("an adapter needs --base and --adapter, but no --weights")
        card = add_adapter(name, base, adapter, replace=replace, copy=copy)
        note(f"added {card.name}: {_architecture(card)}")
        return
    if run is not None:
        if arch or weights:
            raise typer.BadParameter("a run has its own architecture and weights")
        arch, weights = run_files(run)
        copy = True  # the run may continue, and a model whose file changed is refused
    if arch is None or weights is None:
        raise typer.BadParameter(
            "give --arch and --weights, or --run, or --base and --adapter, or --ensemble"
        )
    options = CardOptions(
        size=size,
        mean=_parse_rgb(mean, "--mean"),
        std=_parse_rgb(std, "--std"),
        interpolation=interpolation,
        resize_mode=resize_mode,
        quick_gelu=quickgelu,
        tokenizer=tokenizer,
        context_length=context_length,
        title=title,
        description=description,
        source=source,
        licence=licence,
    )
    card = add_model(name, arch, weights, options, replace=replace, copy=copy)
    note(f"added {card.name}: {_architecture(card)}, {card.preprocess.size} px, {card.embed_dim}-d")


def remove(name: str = _NAME) -> None:
    """Remove an added model; its weights file is kept."""
    remove_card(name)
    note(f"removed {name}")


def show(name: str = _NAME, as_json: bool = _JSON) -> None:
    """Show the model card of an encoder."""
    info = _model_info(get_card(name))
    if as_json:
        print_json(info)
        return
    _print_model_info(info)


def fetch(name: str = _NAME) -> None:
    """Fetch the published weights of a model from the Hugging Face hub (or HF_ENDPOINT)."""
    from terraseek.encoders.hub import fetch_weights

    card = get_card(name)
    with bar() as progress:
        weights = fetch_weights(card, progress)
    note(f"{name}: {weights.path} (sha256 {weights.sha256})")


def _model_info(card: ModelCard) -> dict[str, Any]:
    path = find_weights(card)
    return {
        **card.to_json(),
        "status": _status(card),
        "path": None if path is None else str(path),
        "default": card.name == DEFAULT_MODEL,
        "added": is_user_model(card.name),
    }


def _members(values: list[str]) -> dict[str, float]:
    """Parse `MODEL[=WEIGHT]`; a weight that is no number is an error."""
    members: dict[str, float] = {}
    for value in values:
        model, _, weight = value.partition("=")
        try:
            members[model] = float(weight or 1)
        except ValueError as error:
            raise typer.BadParameter(f"{value!r} is not MODEL or MODEL=WEIGHT") from error
    return members


def _status(card: ModelCard) -> str:
    if card.adapter is not None and find_adapter(card.adapter) is None:
        return "adapter missing"
    cards = [get_card(member.model) for member in card.ensemble] or [card]
    if all(find_weights(one) is not None for one in cards):
        return "ready"
    return "not downloaded" if card.hub is not None else "weights missing"


def _architecture(card: ModelCard) -> str:
    if card.ensemble:
        return " + ".join(f"{member.weight:g} {member.model}" for member in card.ensemble)
    if card.adapter is not None:
        return f"{card.adapter.kind} on {card.adapter.base}"
    if isinstance(card.architecture, str):
        return card.architecture
    configs = [card.architecture]
    if "members" in card.architecture:
        configs = [config for config, _ in ensemble_members(card.architecture)]
    towers = Counter(_tower(config) for config in configs)
    return " + ".join(f"{n} x {name}" if n != 1 else name for name, n in towers.items())


def _tower(config: Mapping[str, Any]) -> str:
    vision, text = config.get("vision_cfg", {}), config.get("text_cfg", {})
    if "timm_model_name" in vision:
        return str(vision["timm_model_name"])
    if not {"layers", "width", "patch_size"} <= vision.keys():
        return "own config"
    name = f"ViT {vision['layers']} x {vision['width']}, patch {vision['patch_size']}"
    return f"{name}, {text['context_length']} tokens" if "context_length" in text else name


def _main_figures(results: Iterable[tuple[str, Any]]) -> str:
    """The main figure of each result, after the name of its data; `show` has all figures."""
    figures = []
    for name, values in results:
        figure = next((f"{k} {values[k]:g}" for k in ("mR", "top1", "Rmi") if k in values), None)
        if figure:
            figures.append(f"{name} {figure}")
    return "\n".join(figures)


def _measured(card: ModelCard) -> str:
    names = (name.split(": ")[-1].split(",")[0] for name in card.scores)
    return _main_figures(zip(names, card.scores.values(), strict=True))


def _published(card: ModelCard) -> str:
    return _main_figures((result["dataset"], result["figures"]) for result in card.published)


def _bytes(card: ModelCard) -> int | None:
    """Size of the files that only this model needs; of an ensemble, those of its members."""
    if card.ensemble:
        sizes = [_bytes(get_card(member.model)) for member in card.ensemble]
        return sum(size or 0 for size in sizes) if all(sizes) else None
    return card.weights.bytes if card.adapter is None else card.adapter.bytes


def _format_size(count: int | None) -> str:
    if count is None:
        return "?"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _print_table(cards: list[ModelCard]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    table.add_column("model", no_wrap=True)
    table.add_column("status", no_wrap=True)
    for heading in ("px", "dim", "size"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    table.add_column("measured here", overflow="fold", max_width=24)
    table.add_column("published", overflow="fold", max_width=24)
    for card in cards:
        name = f"{card.name} *" if card.name == DEFAULT_MODEL else card.name
        size = _bytes(card)
        numbers = (str(card.preprocess.size), str(card.embed_dim), _format_size(size))
        figures = _measured(card), _published(card)
        table.add_row(name, _status(card), *numbers, _architecture(card), *figures)
    Console().print(table)
    note(
        "* the default; `terraseek models show NAME` prints its card, `fetch NAME` gets its weights"
    )


def _print_model_info(info: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", overflow="fold", ratio=1)
    table.add_column(overflow="fold", ratio=2)
    for key, text in _flat_items("", info):
        table.add_row(
            key, text if len(text) <= _MAX_SHOWN else f"{len(text):,} characters; see --json"
        )
    Console(highlight=False, markup=False).print(table)


def _flat_items(prefix: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Dotted keys and texts of a nested JSON value; empty values are omitted."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat_items(f"{prefix}.{key}" if prefix else key, inner)
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value):
            yield from _flat_items(f"{prefix}.{number}", inner)
    elif isinstance(value, list):
        if value:
            long = any(isinstance(inner, str) for inner in value)
            yield prefix, ("\n" if long else ", ").join(str(inner) for inner in value)
    elif value not in (None, "", []):
        yield prefix, json.dumps(value) if isinstance(value, bool) else str(value)


def _parse_rgb(text: str | None, option: str) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError as error:
        message = f"{text!r} must be three numbers R,G,B, for example 0.48,0.46,0.41"
        raise typer.BadParameter(message, param_hint=option) from error
    return red, green, blue
