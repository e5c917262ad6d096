"""`terraseek import`, `embed`, `search` and `stats`."""

import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terraseek.commands.console import bar, note, print_json
from terraseek.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import numpy as np

    from terraseek.catalogue import Catalogue, ImportReport
    from terraseek.encoders.base import Encoder
    from terraseek.search import Hit, SearchResult

__all__ = ["register"]

_SHOWN_BROKEN = 5
_SHOWN_GROUPS = 12

CatalogueArgument = Annotated[Path, typer.Argument(help="Folder of the catalogue.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_)
    app.command("embed")(embed)
    app.command("search")(search)
    app.command("stats")(stats)


def import_(
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Shards (name-{0000..0001}.tar), tar or folder of pictures, "
            "CSV or Parquet table, caption JSON. Several are imported in turn."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the catalogue.")],
    geometa: Annotated[
        Path | None, typer.Option(help="Table with coordinates, joined by picture name.")
    ] = None,
    kind: Annotated[
        str, typer.Option(help="auto, shards, folder, classes, table or captions.")
    ] = "auto",
    name: Annotated[str | None, typer.Option(help="What to call the source.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder or tar of the pictures a table names.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="How well coordinates locate a picture: exact or point.")
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Decode every picture now, so that damaged ones are found.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Bring pictures with captions and places into a catalogue."""
    from terraseek.catalogue import import_source

    if precision not in (None, "exact", "point"):
        raise ConfigError(f"--precision {precision!r} must be exact or point")
    reports = []
    for source in sources:
        with bar() as progress:
            report = import_source(
                source,
                out,
                geometa=geometa,
                kind=kind,
                name=name,
                images=images,
                precision=precision,  # type: ignore[arg-type]  # checked above
                check=check,
                progress=progress,
            )
        reports.append(report)
        _tell(report)
    if as_json:
        print_json([report.to_json() for report in reports])


def _tell(report: "ImportReport") -> None:
    note(report.summary())
    for broken in report.broken[:_SHOWN_BROKEN]:
        note(f"  skipped {broken.member}: {broken.reason}")
    if len(report.broken) > _SHOWN_BROKEN:
        note(f"  and {len(report.broken) - _SHOWN_BROKEN:,} more; --json lists all")


def embed(
    catalogue: CatalogueArgument,
    model: Annotated[str | None, typer.Option(help="Model; `terraseek models` lists them.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Encode the pictures and captions that have no vector yet; goes on where it was stopped."""
    from terraseek.catalogue import Catalogue
    from terraseek.encoders.load import load_encoder
    from terraseek.encoders.registry import DEFAULT_MODEL
    from terraseek.search import embed_catalogue

    opened = Catalogue.open(catalogue)
    encoder = load_encoder(model or DEFAULT_MODEL, device)
    with bar() as progress:
        store = embed_catalogue(opened, encoder, progress)
    manifest = store.manifest
    note(f"{manifest.count:,} items have vectors of {manifest.encoder_id}")
    if manifest.unreadable:
        note(f"{manifest.unreadable:,} pictures could not be decoded and will not be found")
    if as_json:
        print_json(manifest.to_json())


def search(
    catalogue: CatalogueArgument,
    words: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    image: Annotated[Path | None, typer.Option(help="Picture to look for.")] = None,
    like: Annotated[str | None, typer.Option(help="Item to find more like.")] = None,
    minus: Annotated[
        list[str] | None, typer.Option(help="Words for what is not wanted; repeatable.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Share of the caption in the score, 0 to 1.", min=0, max=1)
    ] = 0.0,
    bbox: Annotated[
        str | None, typer.Option(help="W,S,E,N in degrees; W > E crosses the antimeridian.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only this source; repeatable.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Only this label; repeatable.")] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="Only this location precision; repeatable.")
    ] = None,
    date_from: Annotated[str | None, typer.Option(help="First day, like 2017-08-25.")] = None,
    date_to: Annotated[str | None, typer.Option(help="Last day, included.")] = None,
    gsd_min: Annotated[float | None, typer.Option(help="Finest metres a pixel.")] = None,
    gsd_max: Annotated[float | None, typer.Option(help="Coarsest metres a pixel.")] = None,
    caption: Annotated[str | None, typer.Option(help="Letters the caption contains.")] = None,
    polygon: Annotated[
        str | None, typer.Option(help="Only inside this area: WKT, GeoJSON, or a file of either.")
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="LON,LAT,KM: only within so many kilometres of a point.")
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option("--where", help="SQL condition on columns: gsd_m < 1 AND country = 'Peru'."),
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Number of hits.", min=1)] = 20,
    model: Annotated[str | None, typer.Option(help="Model whose vectors to use.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    as_geojson: Annotated[bool, typer.Option("--geojson", help="Print GeoJSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a map that opens offline.")] = None,
) -> None:
    """Find items by words, a picture, an item, or a mixture; filters apply before the ranking."""
    from terraseek.catalogue import Area, Catalogue, Circle, Filter
    from terraseek.geo import BBox
    from terraseek.search import EmbeddingStore, Query, Searcher

    if as_json + as_geojson + as_csv > 1:
        raise ConfigError("--json, --geojson and --csv exclude each other; take one")
    query = Query(
        text=words,
        image=None if image is None else _picture(image),
        item_id=like,
        minus=tuple(minus or ()),
        alpha=alpha,
    )
    where = Filter(
        bbox=None if bbox is None else BBox.parse(bbox),
        sources=tuple(source or ()),
        labels=tuple(label or ()),
        precision=tuple(precision or ()),
        date_from=date_from,
        date_to=date_to,
        gsd_min=gsd_min,
        gsd_max=gsd_max,
        text=caption,
        polygon=None if polygon is None else Area.read(polygon),
        circle=None if within is None else Circle.parse(within),
        sql=condition,
    )
    opened = Catalogue.open(catalogue)
    store = EmbeddingStore.open(opened, model)
    searcher = Searcher(opened, _encoder(store.manifest.model, device), store)
    result = searcher.search(query, k, None if where.is_empty else where)
    if html is not None:
        _write_html(html, words or "", result, opened)
    _print(result, as_json, as_geojson, as_csv)


def _write_html(path: Path, words: str, result: "SearchResult", catalogue: "Catalogue") -> None:
    """The stand-alone map is drawn by the app, which core must not import: an entry point."""
    writers = entry_points(group="terraseek.exports", name="html")
    if not writers:
        raise MissingExtraError("--html needs the application: pip install 'terraseek[app]'")
    next(iter(writers)).load()(path, words, result.hits, catalogue)
    note(f"map written to {path}")


def _encoder(name: str, device: str) -> "Encoder":
    from terraseek.encoders.load import load_encoder

    return load_encoder(name, device)


def _picture(path: Path) -> "np.ndarray":
    """A picture or raster of the user, decoded the way items are."""
    from terraseek.catalogue.images import read_picture
    from terraseek.catalogue.records import ImageRef

    return read_picture(ImageRef(path.absolute()))


def _print(result: "SearchResult", as_json: bool, as_geojson: bool, as_csv: bool) -> None:
    from terraseek.search import hits_csv, hits_geojson, hits_json

    if as_json:
        print_json(hits_json(result.hits))
    elif as_geojson:
        print_json(hits_geojson(result.hits))
    elif as_csv:
        sys.stdout.write(hits_csv(result.hits))
    else:
        _table(result)


def _table(result: "SearchResult") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, side in (("#", "right"), ("score", "right"), ("item", "left"), ("place", "left")):
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("source", no_wrap=True)
    table.add_column("caption", ratio=1)
    for hit in result.hits:
        row = (str(hit.rank), f"{hit.score:.4f}", hit.item_id, _place(hit), hit.source)
        table.add_row(*row, Text(hit.caption))
    # piped output is for programs such as grep: one line a hit, however long
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    note(f"{len(result.hits)} of {result.matched:,} items that pass the filter")
    if result.unsearchable:
        note(f"{result.unsearchable:,} of them have no vector; run `terraseek embed`")
    if result.convincing is False:
        note("no convincing match: unrelated pictures often score as high")


def _place(hit: "Hit") -> str:
    if hit.lon is None or hit.lat is None:
        return "-"
    return f"{hit.lon:.4f}, {hit.lat:.4f}"


def stats(catalogue: CatalogueArgument, as_json: JsonOption = False) -> None:
    """Count items by source, label, country, month, UTM zone and location precision."""
    from terraseek.catalogue import Catalogue, catalogue_stats

    counts = catalogue_stats(Catalogue.open(catalogue))
    if as_json:
        print_json(counts)
        return
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{counts['items']:,} items, {counts['located']:,} with coordinates, "
        f"{counts['captioned']:,} with a caption"
    )
    for group, values in counts.items():
        if isinstance(values, dict):
            shown = [f"{key or 'unknown'} {n:,}" for key, n in list(values.items())[:_SHOWN_GROUPS]]
            more = len(values) - len(shown)
            tail = f" and {more} more" if more > 0 else ""
            console.print(f"{group}: {', '.join(shown)}{tail}", markup=False)
