"""The command `terraseek localize`: heat maps of sentences or an image over a scene."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terraseek.commands.console import DeviceOption, JsonOption, bar, note, print_json
from terraseek.commands.request_options import takes_parameters
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import ConfigError, OutputError
from terraseek.parameters import Params
from terraseek.request import LOCALIZE_PARTS, LocalizeRequest

if TYPE_CHECKING:
    from terraseek.encoders.base import Encoder
    from terraseek.localization import Comparison, HeatMap
    from terraseek.scenes import Scene

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command("localize")(localize)


@takes_parameters(LOCALIZE_PARTS, words="q", leave_out=("like",))
def localize(
    scene: Annotated[
        Path | None, typer.Argument(help="GeoTIFF, PNG, JPEG, WebP or JPEG 2000 file.")
    ] = None,
    *,
    given: Params,
    image: Annotated[Path | None, typer.Option(help="Image file to look for.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write the heat map as COG; folder of a batch."),
    ] = None,
    regions: Annotated[
        Path | None, typer.Option(help="Write the regions as .geojson or as .gpkg with a style.")
    ] = None,
    style: Annotated[
        Path | None, typer.Option(help="Write the colours of --out as .qml for QGIS.")
    ] = None,
    winner: Annotated[
        Path | None,
        typer.Option(help="Of several sentences, write which wins where as .tif or style .qml."),
    ] = None,
    png: Annotated[
        Path | None, typer.Option(help="Write the heat map drawn over the scene.")
    ] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Write a .png or .pdf with legend, scale bar and north arrow."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with the map that works offline.")
    ] = None,
    zip_file: Annotated[
        Path | None, typer.Option("--zip", help="Write all of these files and the request.")
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(help="Instead of one scene: a CSV with the columns scene and text."),
    ] = None,
    scenes: Annotated[
        Path | None,
        typer.Option(help="Folder of the batch's scenes, or a CSV with the column scene."),
    ] = None,
    model: Annotated[str, typer.Option(help="Model card; see `models`.")] = DEFAULT_MODEL,
    device: DeviceOption = "auto",
    layers: Annotated[
        bool, typer.Option("--layers", help="Add a band per window side and their spread to --out.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Keep the scene's vectors for later queries.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Find the places in a scene where a sentence is true."""
    from terraseek.encoders.load import load_encoder
    from terraseek.localization import localize_many, write_cog
    from terraseek.localization.query import ImageQuery
    from terraseek.localization.side_map import side_map
    from terraseek.scenes import Scene

    request = LocalizeRequest.from_params(given)
    if batch is not None:
        asked = (scene, request.sentences, image, request.side, layers)
        files = (regions, png, style, winner, figure, html, zip_file)
        if any((*asked, *files)):
            raise ConfigError(
                "a batch takes scenes and sentences from its table and writes one folder; leave "
                "out the scene, the words, --image, --side, --layers and the other files"
            )
        _run_batch(batch, scenes, out, request, load_encoder(model, device), cache, as_json)
        return
    if scene is None:
        raise ConfigError("give a scene and what to look for, or a table with --batch")
    with Scene.open(scene) as opened:
        queries = request.queries(image=None if image is None else ImageQuery.read(image))
        encoder = load_encoder(model, device)
        with bar() as progress:
            found = localize_many(opened, queries, encoder, request.options, progress, cache)
        heats = [side_map(heat, request.side) for heat in found]
        if out:
            write_cog(heats, out, layers, request.threshold, request.percentile)
        if png:
            _write_overlays(opened, heats, png, request.stretch)
    if regions:
        _write_regions(heats, regions, request)
    _write_single(heats, {"figure": figure, "html": html, "zip": zip_file, "style": style}, request)
    if winner:
        _write_winner(heats, winner, request)
    _print_results(heats, request, as_json)


def _run_batch(
    table: Path,
    scenes: Path | None,
    out: Path | None,
    request: LocalizeRequest,
    encoder: "Encoder",
    cache: bool,
    as_json: bool,
) -> None:
    """Localize the rows of a table; scenes are relative to their folder or to their table."""
    from dataclasses import asdict

    from terraseek.localization import localize_batch, read_batch

    if out is None:
        raise ConfigError("give the folder of the results with --out")
    rows = read_batch(table, _scene_names(scenes))
    source = scenes or table
    folder = source if source.is_dir() else source.parent
    with bar() as progress:
        results = localize_batch(
            rows, folder, encoder, out, request.options, request.threshold, request.percentile,
            progress, cache, request.stretch,
        )  # fmt: skip
    if as_json:
        print_json([asdict(one) for one in results])
        return
    n_done = sum(one.done for one in results)
    print(f"{n_done} of {len(results)} rows are done; see {out / 'report.html'}")
    for one in results:
        if not one.done:
            note(f"failed: {one.scene}, {one.sentence!r}: {one.reason}")


def _scene_names(scenes: Path | None) -> list[str]:
    """Names of the scenes in a folder or a table."""
    from terraseek.catalogue.records import IMAGE_SUFFIXES
    from terraseek.localization import read_scene_names

    if scenes is None:
        return []
    if not scenes.is_dir():
        return read_scene_names(scenes)
    return sorted(p.name for p in scenes.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def _write_regions(heats: "Sequence[HeatMap]", path: Path, request: LocalizeRequest) -> None:
    from terraseek.localization import write_geopackage, write_regions

    write = write_geopackage if path.suffix.lower() == ".gpkg" else write_regions
    write(heats, path, request.threshold, request.percentile)


def _write_winner(heats: "Sequence[HeatMap]", path: Path, request: LocalizeRequest) -> None:
    from terraseek.localization.output.winner_map import write_winner, write_winner_style

    write = write_winner_style if path.suffix.lower() == ".qml" else write_winner
    write(_compared(heats, request), path)


def _compared(heats: "Sequence[HeatMap]", request: LocalizeRequest) -> "Comparison":
    from terraseek.localization import compare

    limits = None if request.threshold is None else [request.threshold] * len(heats)
    return compare(heats, limits, request.percentile)


def _write_single(
    heats: "Sequence[HeatMap]", paths: dict[str, Path | None], request: LocalizeRequest
) -> None:
    """Write the files that hold one heat map each."""
    from terraseek.localization import write_bundle, write_figure, write_html
    from terraseek.localization.output.colour.qgis_style import write_style

    limits = request.threshold, request.percentile
    writers: dict[str, Callable[..., object]] = {
        "figure": write_figure,
        "html": write_html,
        "zip": write_bundle,
        "style": lambda heat, target, *_, stretch: write_style(heat, target, stretch),
    }
    for kind, path in paths.items():
        if path is None:
            continue
        for heat, target in zip(heats, _numbered(path, len(heats)), strict=True):
            writers[kind](heat, target, *limits, stretch=request.stretch)


def _numbered(path: Path, count: int) -> list[Path]:
    """The path; with a number in the file name for each of several heat maps."""
    if count == 1:
        return [path]
    return [path.with_stem(f"{path.stem}-{number}") for number in range(1, count + 1)]


def _write_overlays(scene: "Scene", heats: "Sequence[HeatMap]", path: Path, stretch: bool) -> None:
    """Write one image per heat map."""
    from PIL import Image

    from terraseek.files import atomic_path
    from terraseek.localization import overlay

    for heat, target in zip(heats, _numbered(path, len(heats)), strict=True):
        try:
            with atomic_path(target) as temporary:
                Image.fromarray(overlay(scene, heat, stretch=stretch)).save(temporary, "PNG")
        except OSError as error:
            raise OutputError(
                f"{target} cannot be written ({error}); choose another folder"
            ) from error


def _print_results(heats: "Sequence[HeatMap]", request: LocalizeRequest, as_json: bool) -> None:
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
    if len(heats) > 1:
        for line in _comparison_lines(heats, request):
            print(line)


def _comparison_lines(heats: "Sequence[HeatMap]", request: LocalizeRequest) -> list[str]:
    """One line for each region of each sentence, below a heading."""
    from terraseek.localization.output.outlines import area_text
    from terraseek.significance.words import WORDS

    found = _compared(heats, request)
    lines = ["", "sentence · region · level · score · area · share of it where the sentence wins"]
    for row in found.rows:
        heat, region = heats[row.sentence], row.region
        found_level = heat.level_at(region.peak.score)
        level = "level unknown" if found_level is None else WORDS[found_level]
        area = f"{region.area_px:,.0f} px" if not region.area_m2 else area_text(region.area_m2)
        lines.append(
            f"{heat.question} · {row.rank} · {level} · {region.peak.score:.3f} · {area} · "
            f"{row.share_won:.0%}"
        )
    return lines


def _result_line(heat: "HeatMap") -> str:
    """Peak, significance, number of windows and times, in one line."""
    from terraseek.significance.words import WORDS

    peak = heat.peak
    place = "" if peak.lon is None else f" = {peak.lat:.6f}, {peak.lon:.6f} (lat, lon)"
    if heat.significance is not None:
        place += f"; {WORDS[heat.significance]}"
    encoded = "from the cache" if heat.from_cache else f"encoded in {heat.encode_s:.2f} s"
    return (
        f"{heat.question}: best at column {peak.col}, row {peak.row}{place}, "
        f"score {peak.score:.3f} ({heat.n_windows:,} windows, {encoded}, "
        f"localized in {heat.query_s * 1000:.0f} ms)"
    )
