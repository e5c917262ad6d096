"""`terraseek search`: find items by text, image, item or place."""

import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terraseek.commands.console import (
    CatalogueArgument,
    DeviceOption,
    JsonOption,
    bar,
    note,
    print_json,
)
from terraseek.errors import ConfigError, MissingExtraError, QueryError

if TYPE_CHECKING:
    import numpy as np

    from terraseek.catalogue import Catalogue, Filter
    from terraseek.encoders.base import Encoder
    from terraseek.search import Hit, Searcher, SearchResult

__all__ = ["search"]


def search(
    catalogue: CatalogueArgument,
    words: Annotated[str | None, typer.Argument(help="Text to search for.")] = None,
    image: Annotated[Path | None, typer.Option(help="Image file to search for.")] = None,
    like: Annotated[str | None, typer.Option(help="Id of an item; finds similar items.")] = None,
    minus: Annotated[
        list[str] | None, typer.Option(help="Text for unwanted content; repeatable.")
    ] = None,
    plus: Annotated[
        list[str] | None, typer.Option(help="Further text to search for; repeatable.")
    ] = None,
    liked: Annotated[
        list[str] | None,
        typer.Option(help="Id of a relevant item (relevance feedback); repeatable."),
    ] = None,
    disliked: Annotated[
        list[str] | None, typer.Option(help="Id of an irrelevant item; repeatable.")
    ] = None,
    near: Annotated[
        str | None, typer.Option(help="LON,LAT: rank items by distance to this place.")
    ] = None,
    ensemble: Annotated[
        bool,
        typer.Option(help="Average the text over 105 prompts; for single words, not sentences."),
    ] = False,
    queries: Annotated[
        Path | None, typer.Option(help="CSV with a column query: one search per line; needs --out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the hits of --queries: .csv or .parquet.")
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Weight of the caption in the score, 0 to 1.", min=0, max=1)
    ] = 0.0,
    bbox: Annotated[
        str | None, typer.Option(help="W,S,E,N in degrees; W > E crosses the antimeridian.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Only items of this source; repeatable.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Only items with this label; repeatable.")
    ] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="Only items with this location precision; repeatable.")
    ] = None,
    date_from: Annotated[str | None, typer.Option(help="First day, like 2017-08-25.")] = None,
    date_to: Annotated[str | None, typer.Option(help="Last day, inclusive.")] = None,
    gsd_min: Annotated[
        float | None, typer.Option(help="Smallest ground sample distance in metres.")
    ] = None,
    gsd_max: Annotated[
        float | None, typer.Option(help="Largest ground sample distance in metres.")
    ] = None,
    caption: Annotated[str | None, typer.Option(help="Text that the caption contains.")] = None,
    polygon: Annotated[
        str | None,
        typer.Option(help="Only items inside this area: WKT, GeoJSON, or a file of either."),
    ] = None,
    within: Annotated[
        str | None, typer.Option(help="LON,LAT,KM: only items within this distance of a point.")
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option("--where", help="SQL condition on columns: gsd_m < 1 AND country = 'Peru'."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Score all items, even if there is an index.")
    ] = False,
    collapse: Annotated[
        bool,
        typer.Option(
            "--collapse-duplicates", help="Show only the best of each group of near-duplicates."
        ),
    ] = False,
    k: Annotated[int, typer.Option("-k", help="Number of hits.", min=1)] = 20,
    model: Annotated[str | None, typer.Option(help="Model whose vectors to use.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    as_geojson: Annotated[bool, typer.Option("--geojson", help="Print GeoJSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a map that works offline.")] = None,
    export: Annotated[
        list[Path] | None,
        typer.Option(
            help="Write the hits to a file: .geojson, .csv, .parquet (GeoParquet), .json, "
            ".stac.json or .tar (webdataset with images); repeatable."
        ),
    ] = None,
) -> None:
    """Find items by text, image, item, or a combination; filters apply before the ranking."""
    from terraseek.catalogue import Area, Catalogue, Circle, Filter
    from terraseek.embeddings.store import EmbeddingStore
    from terraseek.geo import BBox
    from terraseek.search import Query, Searcher
    from terraseek.search.export.files import export_kind, write_hits

    if as_json + as_geojson + as_csv > 1:
        raise ConfigError("--json, --geojson and --csv exclude each other; use one")
    if (queries is None) != (out is None):
        raise ConfigError("--queries and --out must be used together")
    for path in export or ():
        export_kind(path.name)  # before the search, which may take long
    query = None
    if queries is None:
        query = Query(
            text=words,
            image=None if image is None else _image(image),
            item_id=like,
            plus=tuple(plus or ()),
            minus=tuple(minus or ()),
            liked=tuple(liked or ()),
            disliked=tuple(disliked or ()),
            near=None if near is None else _lonlat(near),
            alpha=alpha,
            ensemble=ensemble,
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
    searcher = Searcher(opened, _encoder(store.manifest.model, device), store, exact=exact)
    allowed = None if where.is_empty else where
    if queries is not None and out is not None:
        _batch(searcher, queries, out, k, allowed, collapse)
        return
    assert query is not None
    result = searcher.search(query, k, allowed, collapse_duplicates=collapse)
    if html is not None:
        _write_html(html, words or "", result, opened)
    for path in export or ():
        note(f"{write_hits(path, result.hits, opened)} written to {path}")
    _print(result, as_json, as_geojson, as_csv)


def _batch(
    searcher: "Searcher",
    queries: Path,
    out: Path,
    k: int,
    where: "Filter | None",
    collapse: bool,
) -> None:
    """Run every query of a CSV and write all hits to one table."""
    from terraseek.search.batch import read_queries, search_all, write_results

    batch = read_queries(queries)
    with bar() as progress:
        rows = search_all(searcher, batch, k, where, progress, collapse_duplicates=collapse)
    write_results(out, rows)
    note(f"{len(batch):,} queries, {len(rows):,} hits written to {out}")


def _lonlat(text: str) -> tuple[float, float]:
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError as error:
        raise QueryError(f"--near {text!r} must be LON,LAT in degrees, like 2.35,48.86") from error
    return lon, lat


def _write_html(path: Path, words: str, result: "SearchResult", catalogue: "Catalogue") -> None:
    """Write a stand-alone map with the app, which core finds through an entry point."""
    writers = entry_points(group="terraseek.exports", name="html")
    if not writers:
        raise MissingExtraError("--html needs the application: pip install 'terraseek[app]'")
    next(iter(writers)).load()(path, words, result.hits, catalogue)
    note(f"map written to {path}")


def _encoder(name: str, device: str) -> "Encoder":
    from terraseek.encoders.load import load_encoder

    return load_encoder(name, device)


def _image(path: Path) -> "np.ndarray":
    """Read an image or raster file in the same way as items."""
    from terraseek.catalogue.images import read_image
    from terraseek.catalogue.records import ImageRef

    return read_image(ImageRef(path.absolute()))


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
        row = (str(hit.rank), _score(hit), hit.item_id, _place(hit), hit.source)
        table.add_row(*row, Text(hit.caption))
    # piped output is for programs such as grep: one line per hit, of any length
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    note(f"{len(result.hits)} of {result.matched:,} items that pass the filter")
    if result.unsearchable:
        note(f"{result.unsearchable:,} of them have no vector; run `terraseek embed`")
    if not result.exact:
        note("an approximate index selected the candidates; --exact scores all items")
    if result.significant is False:
        note("no significant match: too many of the pictures that score as high may be unrelated")


def _score(hit: "Hit") -> str:
    return f"{hit.score:.4f}" if hit.distance_km is None else f"{hit.distance_km:,.1f} km"


def _place(hit: "Hit") -> str:
    if hit.lon is None or hit.lat is None:
        return "-"
    return f"{hit.lon:.4f}, {hit.lat:.4f}"
