"""The command `terraseek localize`: heat maps of sentences or an image over a scene."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terraseek.commands.console import bar, note, print_json
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import EmptyQueryError, LatticeError, OutputError
from terraseek.localization.methods.registry import DEFAULT_METHOD, METHODS

if TYPE_CHECKING:
    from terraseek.localization import HeatMap
    from terraseek.localization.query import LocalizeQuery
    from terraseek.scenes import Scene

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command("localize")(localize)


def localize(
    scene: Annotated[Path, typer.Argument(help="GeoTIFF, PNG, JPEG, WebP or JPEG 2000 file.")],
    words: Annotated[
        list[str] | None, typer.Argument(help="Sentences to look for; one heat map each.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="Image to look for.")] = None,
    minus: Annotated[
        list[str] | None, typer.Option(help="Sentence whose score is subtracted; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the heat map as COG.")
    ] = None,
    regions: Annotated[Path | None, typer.Option(help="Write the regions as GeoJSON.")] = None,
    png: Annotated[
        Path | None, typer.Option(help="Write the heat map drawn over the scene.")
    ] = None,
    model: Annotated[str, typer.Option(help="Model card; see `models`.")] = DEFAULT_MODEL,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    method: Annotated[str, typer.Option(help=f"{', '.join(METHODS)}.")] = DEFAULT_METHOD,
    scales: Annotated[str, typer.Option(help="Window sides in pixels: 96,192,384.")] = "",
    scales_m: Annotated[str, typer.Option(help="Window sides in metres: 60,120.")] = "",
    threshold: Annotated[
        float | None, typer.Option(help="Lowest score of a region; default halfway to the peak.")
    ] = None,
    percentile: Annotated[
        float | None, typer.Option(help="Threshold as a percentile of the scores, 0-100.")
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Add a band per window side and their spread to --out.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Use dense although the model's card advises against it."),
    ] = False,
    even_so: Annotated[bool, typer.Option("--even-so", hidden=True)] = False,
    seed: Annotated[int, typer.Option(help="Seed of the word shuffles of selo-v2.")] = 0,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep the scene's vectors for later queries.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Find the places in a scene where a sentence is true."""
    from terraseek.encoders.load import load_encoder
    from terraseek.localization import LocalizeOptions, localize_many, write_cog, write_regions
    from terraseek.scenes import Scene

    if even_so:
        note("--even-so is now --force; the old name will go with the next release")
    options = LocalizeOptions(
        method=method,
        scales=_pixels(scales),
        scales_m=_metres(scales_m),
        minus=tuple(minus or ()),
        seed=seed,
        force=force or even_so,
    )
    with Scene.open(scene) as opened:
        queries = _queries(words or [], image)
        encoder = load_encoder(model, device)
        with bar() as progress:
            heats = localize_many(opened, queries, encoder, options, progress, cache)
        if out:
            write_cog(heats, out, layers)
        if regions:
            write_regions(heats, regions, threshold, percentile)
        if png:
            _write_overlays(opened, heats, png)
    _print_results(heats, as_json)


def _pixels(text: str) -> tuple[int, ...] | None:
    if not text:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise LatticeError(f"--scales {text!r} must be whole numbers like 96,192,384") from error


def _metres(text: str) -> tuple[float, ...] | None:
    if not text:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise LatticeError(f"--scales-m {text!r} must be numbers like 60,120") from error


def _queries(words: Sequence[str], image: Path | None) -> "list[LocalizeQuery]":
    from terraseek.localization.query import ImageQuery

    queries: list[LocalizeQuery] = list(words)
    if image is not None:
        queries.append(ImageQuery.read(image))
    if not queries:
        raise EmptyQueryError('say what to look for: words like "ships at a pier", or --image FILE')
    return queries


def _write_overlays(scene: "Scene", heats: "Sequence[HeatMap]", path: Path) -> None:
    """Write one image per heat map; several get a number in the file name."""
    from PIL import Image

    from terraseek.files import atomic_path
    from terraseek.localization import overlay

    for number, heat in enumerate(heats, 1):
        target = path if len(heats) == 1 else path.with_stem(f"{path.stem}-{number}")
        try:
            with atomic_path(target) as temporary:
                Image.fromarray(overlay(scene, heat)).save(temporary, "PNG")
        except OSError as error:
            raise OutputError(
                f"{target} cannot be written ({error}); choose another folder"
            ) from error


def _print_results(heats: "Sequence[HeatMap]", as_json: bool) -> None:
    from terraseek.localization import summary

    for heat in heats:
        for warning in heat.warnings:
            note(f"note: {warning}")
    if as_json:
        summaries = [summary(heat) for heat in heats]
        print_json(summaries[0] if len(summaries) == 1 else summaries)
        return
    for heat in heats:
        print(_result_line(heat))


def _result_line(heat: "HeatMap") -> str:
    """Peak, significance, number of windows and times, in one line."""
    peak = heat.peak
    place = "" if peak.lon is None else f" = {peak.lat:.6f}, {peak.lon:.6f} (lat, lon)"
    if heat.significant is False and heat.significance_threshold is None:
        place += "; not significant, most of these words are unknown to the model"
    elif heat.significant is False:
        place += f"; not significant, {heat.n_windows:,} unrelated windows can score as high"
    encoded = "from the cache" if heat.from_cache else f"encoded in {heat.encode_s:.2f} s"
    return (
        f"{heat.query}: best at column {peak.col}, row {peak.row}{place}, score {peak.score:.3f} "
        f"({heat.n_windows:,} windows, {encoded}, localized in {heat.query_s * 1000:.0f} ms)"
    )
