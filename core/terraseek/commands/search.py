"""`terraseek search`: find items by text, image, item or place."""

import sys
from collections.abc import Sequence
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
from terraseek.commands.request_options import takes_parameters
from terraseek.errors import ConfigError, MissingExtraError
from terraseek.parameters import Params
from terraseek.request import SEARCH_PARTS, SearchRequest

if TYPE_CHECKING:
    import numpy as np

    from terraseek.catalogue import Catalogue
    from terraseek.encoders.base import Encoder
    from terraseek.search import Hit, Searcher, SearchResult
    from terraseek.search.export.provenance import Provenance

__all__ = ["search"]


@takes_parameters(SEARCH_PARTS, words="q")
def search(
    catalogue: CatalogueArgument,
    given: Params,
    image: Annotated[Path | None, typer.Option(help="Image file to search for.")] = None,
    queries: Annotated[
        Path | None, typer.Option(help="CSV with a column query: one search per line; needs --out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Table of all hits of --queries: .csv or .parquet.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Score all items, even if there is an index.")
    ] = False,
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
    """Find items by text, image, item or a combination; filters apply before the ranking."""
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import EmbeddingStore
    from terraseek.search import Searcher
    from terraseek.search.export.files import export_kind, write_hits
    from terraseek.search.export.provenance import Provenance

    if as_json + as_geojson + as_csv > 1:
        raise ConfigError("--json, --geojson and --csv exclude each other; use one")
    if (queries is None) != (out is None):
        raise ConfigError("--queries and --out must be used together")
    for path in export or ():
        export_kind(path.name)  # before the search, which may take long
    pixels = None if image is None else _image(image)
    request = SearchRequest.from_params(given, image=pixels, local_files=True)
    if queries is None:
        request.ranked_query  # noqa: B018 - refused before anything is loaded
    opened = Catalogue.open(catalogue)
    store = EmbeddingStore.open(opened, model)
    searcher = Searcher(opened, _encoder(store.manifest.model, device), store, exact=exact)
    if queries is not None and out is not None:
        _batch(searcher, queries, out, request)
        return
    _note_cut_off(searcher.encoder, request.ranked_query.sentences)
    result = searcher.run(request)
    provenance = Provenance(request, result.encoder_id)
    if html is not None:
        _write_html(html, provenance, result, opened)
    for path in export or ():
        note(f"{write_hits(path, result.hits, opened, provenance)} written to {path}")
    _print(result, provenance, as_json, as_geojson, as_csv)


def _note_cut_off(encoder: "Encoder", sentences: Sequence[str]) -> None:
    """Say which sentences the text tower does not read to their end."""
    for found in filter(None, map(encoder.cut_off_note, sentences)):
        note(found)


def _batch(searcher: "Searcher", queries: Path, out: Path, request: SearchRequest) -> None:
    """Run every query of a CSV and write all hits to one table."""
    from terraseek.search.batch import read_queries, search_all, write_results

    batch = read_queries(queries)
    with bar() as progress:
        rows = search_all(
            searcher,
            batch,
            request.k,
            request.filter or None,
            progress,
            collapse_duplicates=request.collapse_duplicates,
        )
    write_results(out, rows)
    note(f"{len(batch):,} queries, {len(rows):,} hits written to {out}")


def _write_html(
    path: Path, provenance: "Provenance", result: "SearchResult", catalogue: "Catalogue"
) -> None:
    """Write a stand-alone map with the app, which core finds through an entry point."""
    writers = entry_points(group="terraseek.exports", name="html")
    if not writers:
        raise MissingExtraError("--html needs the application: pip install 'terraseek[app]'")
    next(iter(writers)).load()(path, provenance.query, result.hits, catalogue, provenance)
    note(f"map written to {path}")


def _encoder(name: str, device: str) -> "Encoder":
    from terraseek.encoders.load import load_encoder

    return load_encoder(name, device)


def _image(path: Path) -> "np.ndarray":
    """Read an image or raster file in the same way as items."""
    from terraseek.catalogue.images import read_image
    from terraseek.catalogue.records import ImageRef

    return read_image(ImageRef(path.absolute()))


def _print(
    result: "SearchResult",
    provenance: "Provenance",
    as_json: bool,
    as_geojson: bool,
    as_csv: bool,
) -> None:
    from terraseek.search import hits_csv, hits_geojson, hits_json

    if as_json:
        print_json(hits_json(result.hits))
    elif as_geojson:
        print_json(hits_geojson(result.hits, provenance.to_json()))
    elif as_csv:
        sys.stdout.write(hits_csv(result.hits, provenance.row()))
    else:
        _table(result)


def _table(result: "SearchResult") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from terraseek.significance.words import summary_text

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
    if result.significance is not None:
        note(summary_text(result.significance, len(result), result.expected_right))


def _score(hit: "Hit") -> str:
    return f"{hit.score:.4f}" if hit.distance_km is None else f"{hit.distance_km:,.1f} km"


def _place(hit: "Hit") -> str:
    if hit.lon is None or hit.lat is None:
        return "-"
    return f"{hit.lon:.4f}, {hit.lat:.4f}"
