"""`terraseek index`: build an index over a catalogue's vectors for faster search."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terraseek.commands.console import bar, note, print_json
from terraseek.errors import ConfigError, TerraSeekError

if TYPE_CHECKING:
    from terraseek.embeddings.store import EmbeddingStore
    from terraseek.index.manifest import IndexManifest

__all__ = ["ENGINES", "register"]

ENGINES = ("faiss", "qdrant")
"""Where an index may be."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("index")(index)


def index(
    catalogue: Annotated[Path, typer.Argument(help="Folder of the catalogue.")],
    model: Annotated[str | None, typer.Option(help="Model whose vectors to index.")] = None,
    memory: Annotated[str, typer.Option(help="Memory limit of the index, such as 2GiB.")] = "2GiB",
    kind: Annotated[
        str,
        typer.Option(help="auto, flat, fp16, int8 (these three are exact), ivfsq, ivfpq or hnsw."),
    ] = "auto",
    engine: Annotated[
        str,
        typer.Option(
            help="faiss (files in the catalogue), or qdrant: a server, whose address is in "
            "TERRASEEK_QDRANT."
        ),
    ] = "faiss",
    captions: Annotated[
        bool, typer.Option("--captions", help="Also index the captions, for `search --alpha`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Build an index that suits the number of vectors and the memory, and report its recall."""
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import EmbeddingStore
    from terraseek.index.build import build_index
    from terraseek.index.engine_build import build_engine_index
    from terraseek.index.plan import parse_memory

    max_bytes = parse_memory(memory)
    if engine not in ENGINES:
        raise ConfigError(f"no engine {engine!r}; there are {', '.join(ENGINES)}")
    items = Catalogue.open(catalogue)
    store = EmbeddingStore.open(items, model)
    stores = {"pictures": store}
    if captions:
        stores |= {text: store.text_store(text) for text in store.text_kinds}
    built = {}
    for name, vectors in stores.items():
        if engine != "qdrant":
            _drop_collection(vectors)
        with bar() as progress:
            if engine == "qdrant":
                built[name] = build_engine_index(vectors, items, progress)
            else:
                built[name] = build_index(vectors, progress, memory=max_bytes, kind=kind)
        _report(name, built[name])
    if as_json:
        shown = {name: manifest.to_json() for name, manifest in built.items()}
        print_json(shown.pop("pictures") | shown)


def _drop_collection(store: "EmbeddingStore") -> None:
    """Delete the collection that an index in files replaces."""
    from terraseek.index.engine_build import drop_collection

    try:
        name = drop_collection(store)
    except TerraSeekError as error:
        note(f"the collection of the last index stays in the database: {error}")
        return
    if name:
        note(f"deleted the collection {name}")


def _report(name: str, manifest: "IndexManifest") -> None:
    kind = f"{manifest.kind} ({manifest.factory})" if manifest.factory else manifest.kind
    note(f"{manifest.count:,} x {manifest.dim} vectors of {name}: {kind}, {manifest.reason}")
    if manifest.queries:
        measured = ", ".join(
            f"{query} {recall:.3f}" for query, recall in manifest.recall_at_10.items()
        )
        note(f"recall of the exact ten best, {manifest.queries} queries: {measured}")
    else:
        note("results are exact")
    place = f"{manifest.memory_bytes / 2**20:,.1f} MiB of memory"
    if manifest.collection:
        place = f"collection {manifest.collection}"
    note(f"{place}, built in {manifest.build_s:.1f} s")
