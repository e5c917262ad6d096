"""`terraseek import`, `embed` and `stats`."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terraseek.commands.console import (
    AddressOption,
    CatalogueArgument,
    CoresOption,
    DeviceOption,
    JsonOption,
    TaskEngineOption,
    WorkersOption,
    bar,
    note,
    print_json,
)
from terraseek.commands.rs5m import show_rs5m
from terraseek.commands.search import search
from terraseek.errors import ConfigError

if TYPE_CHECKING:
    from terraseek.catalogue import ImportReport
    from terraseek.encoders.base import Encoder

__all__ = ["register"]

_MAX_BROKEN_SHOWN = 5
_MAX_GROUPS = 12
_MAX_WORKERS = 4
"""Beyond these, reading and writing of tables, in one process, takes longer than their rows."""


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
            help="Shards (name-{0000..0001}.tar), tar or folder of images, "
            "table (CSV, Parquet, pickled frame), Parquet with images in it, caption JSON, "
            "STAC items, clip-retrieval folder, "
            "Major TOM embeddings. Several sources are imported one after the other."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the catalogue.")],
    geometa: Annotated[
        list[Path] | None,
        typer.Option(help="Metadata table with coordinates, joined by image name; repeatable."),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            help="auto, shards, folder, classes, table, metadata (a table without its images), "
            "parquet-images, captions, stac, clip-retrieval, major-tom."
        ),
    ] = "auto",
    name: Annotated[str | None, typer.Option(help="Name of the source.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder or tar of the images that a table names.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Precision of the coordinates: exact or point.")
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Decode every image now, so that damaged ones are found.")
    ] = True,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Model that made the vectors in the source (clip-retrieval, Major TOM); "
            "they are imported."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that make the rows of large tables without images; by default one for "
            f"each core, at most {_MAX_WORKERS}. The catalogue is the same.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import images with captions and locations into a catalogue."""
    from terraseek.catalogue import import_source
    from terraseek.parallel.local import LocalEngine

    if precision not in (None, "exact", "point"):
        raise ConfigError(f"--precision {precision!r} must be exact or point")
    vector_encoder = None if encoder is None else _load_encoder(encoder, sources, kind, images)
    reports = []
    n_workers = workers or min(os.cpu_count() or 1, _MAX_WORKERS)
    for source in sources:
        with LocalEngine(n_workers) as engine, bar() as progress:
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
                engine=engine if n_workers > 1 else None,
            )
        reports.append(report)
        _print_report(report)
    if vector_encoder is not None:
        _import_vectors(out, vector_encoder)
    if as_json:
        print_json([report.to_json() for report in reports])


def _load_encoder(name: str, sources: list[str], kind: str, images: Path | None) -> "Encoder":
    """Load the encoder of the vectors before the import, so that a mistake changes nothing."""
    from terraseek.catalogue.importing.readers.registry import open_source, reader_of
    from terraseek.encoders.load import load_encoder

    for source in sources:
        found = open_source(source, kind, images).kind
        if not reader_of(found).has_vectors:
            raise ConfigError(
                f"--encoder imports vectors, but {source} is read as {found} and has none; "
                "import it without --encoder, then run `terraseek embed`"
            )
    return load_encoder(name)


def _import_vectors(catalogue: Path, encoder: "Encoder") -> None:
    """Import the vectors of the sources into the store of their encoder."""
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.import_vectors import import_vectors

    with bar() as progress:
        imported = import_vectors(Catalogue.open(catalogue), encoder, progress)
    note(
        f"{imported.images:,} vectors of images and {imported.captions:,} of captions imported "
        f"as those of {encoder.encoder_id}"
    )
    if imported.n_invalid:
        note(
            f"{imported.n_invalid:,} were zero or not finite; `terraseek embed` computes them again"
        )


def _print_report(report: "ImportReport") -> None:
    note(report.summary())
    if report.added and report.precision.get("none", 0) == report.added:
        note(
            "  no image has a place; give a table with the columns filename, lat, lon by --geometa"
        )
    for broken in report.broken[:_MAX_BROKEN_SHOWN]:
        note(f"  skipped {broken.member}: {broken.reason}")
    if len(report.broken) > _MAX_BROKEN_SHOWN:
        note(f"  and {len(report.broken) - _MAX_BROKEN_SHOWN:,} more, all in {report.broken_file}")


def embed(
    catalogue: CatalogueArgument,
    model: Annotated[str | None, typer.Option(help="Model; `terraseek models` lists them.")] = None,
    device: DeviceOption = "auto",
    engine: TaskEngineOption = "local",
    address: AddressOption = None,
    workers: WorkersOption = None,
    cores: CoresOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Encode the images and captions that have no vector yet; resumes where it was stopped.

    By default one process encodes with all cores. With --workers, or on a cluster, each worker has
    an encoder of its own: one per GPU of the cluster, or one per --cores.
    """
    # set before torch is loaded; otherwise its idle threads occupy cores that could decode images
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.embed import embed_catalogue
    from terraseek.encoders.load import load_encoder
    from terraseek.encoders.registry import DEFAULT_MODEL
    from terraseek.parallel.opening import open_task_engine

    opened = Catalogue.open(catalogue)
    in_workers = engine != "local" or address is not None or workers is not None
    encoder = load_encoder(model or DEFAULT_MODEL, "cpu" if in_workers else device)
    with ExitStack() as stack:
        running = None
        if in_workers:
            running = stack.enter_context(
                open_task_engine(engine, workers, address, cores, use_gpus=device != "cpu")
            )
        progress = stack.enter_context(bar())
        store = embed_catalogue(opened, encoder, progress, engine=running, device=device)
    manifest = store.manifest
    note(f"{manifest.count:,} items have vectors of {manifest.encoder_id}")
    without = int((~opened.has_image).sum())
    if without:
        note(f"{without:,} items have no image; they are found by their captions")
    if manifest.unreadable > without:
        unreadable = manifest.unreadable - without
        note(f"{unreadable:,} images could not be decoded and will not be found")
    if as_json:
        print_json(manifest.to_json())


def stats(
    catalogue: CatalogueArgument,
    rs5m: Annotated[
        bool,
        typer.Option(
            "--rs5m",
            help="The tables of the RS5M paper beside the published figures: subsets, countries, "
            "months, UTM zones, entities, keywords, lengths of captions.",
        ),
    ] = False,
    ratings: Annotated[
        list[Path] | None,
        typer.Option(help="With --rs5m: rating table in RS5M's layout; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Count items by source, label, country, month, resolution, UTM zone, precision."""
    from terraseek.catalogue import Catalogue, catalogue_stats

    if rs5m:
        show_rs5m(catalogue, ratings or [], as_json)
        return
    if ratings:
        raise ConfigError("--ratings is part of the statistics of --rs5m; add --rs5m")
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
    tails = counts.pop("long_tail")
    for group, values in counts.items():
        if isinstance(values, dict):
            shown = [f"{key or 'unknown'} {n:,}" for key, n in list(values.items())[:_MAX_GROUPS]]
            more = len(values) - len(shown)
            tail = f" and {more} more" if more > 0 else ""
            console.print(f"{group}: {', '.join(shown)}{tail}", markup=False)
    for group, tail in tails.items():
        console.print(
            f"long tail of {group}: {tail['values']:,} values, the most frequent {tail['half']:,} "
            f"cover half of the items, {tail['single']:,} occur once, median {tail['median']:g}"
        )
