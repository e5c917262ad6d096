"""The command `terraseek localize`: heat maps of sentences or an image over a scene."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terraseek.commands.console import DeviceOption, JsonOption, bar, note, print_json
from terraseek.commands.request_options import takes_parameters
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import OutputError
from terraseek.parameters import Params
from terraseek.request import LOCALIZE_PARTS, LocalizeRequest

if TYPE_CHECKING:
    from terraseek.localization import HeatMap
    from terraseek.scenes import Scene

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command("localize")(localize)


@takes_parameters(LOCALIZE_PARTS, words="q", leave_out=("like",))
def localize(
    scene: Annotated[Path, typer.Argument(help="GeoTIFF, PNG, JPEG, WebP or JPEG 2000 file.")],
    given: Params,
    image: Annotated[Path | None, typer.Option(help="Image file to look for.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the heat map as COG.")
    ] = None,
    regions: Annotated[Path | None, typer.Option(help="Write the regions as GeoJSON.")] = None,
    png: Annotated[
        Path | None, typer.Option(help="Write the heat map drawn over the scene.")
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
    from terraseek.localization import localize_many, write_cog, write_regions
    from terraseek.localization.query import ImageQuery
    from terraseek.scenes import Scene

    request = LocalizeRequest.from_params(given)
    with Scene.open(scene) as opened:
        queries = request.queries(image=None if image is None else ImageQuery.read(image))
        encoder = load_encoder(model, device)
        with bar() as progress:
            heats = localize_many(opened, queries, encoder, request.options, progress, cache)
        if out:
            write_cog(heats, out, layers)
        if regions:
            write_regions(heats, regions, request.threshold, request.percentile)
        if png:
            _write_overlays(opened, heats, png)
    _print_results(heats, as_json)


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
