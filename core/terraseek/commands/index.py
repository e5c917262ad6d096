"""`terraseek index`: an index over a catalogue's vectors, where comparing all of them is slow."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terraseek.commands.console import bar, note, print_json

if TYPE_CHECKING:
    from terraseek.index.manifest import IndexManifest

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("index")(index)


def index(
    catalogue: Annotated[Path, typer.Argument(help="Folder of the catalogue.")],
    model: Annotated[str | None, typer.Option(help="Model whose vectors to index.")] = None,
    memory: Annotated[str, typer.Option(help="Memory the index may hold, such as 2GiB.")] = "2GiB",
    kind: Annotated[
        str,
        typer.Option(help="auto, flat, fp16, int8 (these three are exact), ivfsq, ivfpq or hnsw."),
    ] = "auto",
    captions: Annotated[
        bool, typer.Option("--captions", help="Index the captions, too, for `search --alpha`.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Build the index that fits the number of vectors and the memory; tell what it finds."""
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import EmbeddingStore
    from terraseek.index.build import build_index
    from terraseek.index.plan import parse_memory

    allowed = parse_memory(memory)
    store = EmbeddingStore.open(Catalogue.open(catalogue), model)
    sides = {"pictures": store}
    if captions:
        sides |= {side: store.words(side) for side in store.sides}
    built = {}
    for side, vectors in sides.items():
        with bar() as progress:
            built[side] = build_index(vectors, progress, memory=allowed, kind=kind)
        _tell(side, built[side])
    if as_json:
        shown = {side: manifest.to_json() for side, manifest in built.items()}
        print_json(shown.pop("pictures") | shown)


def _tell(side: str, manifest: "IndexManifest") -> None:
    name = f"{manifest.kind} ({manifest.factory})" if manifest.factory else manifest.kind
    note(f"{manifest.count:,} x {manifest.dim} vectors of {side}: {name}, {manifest.reason}")
    if manifest.queries:
        found = ", ".join(f"{side} {share:.3f}" for side, share in manifest.recall_at_10.items())
        note(f"recall of the exact ten best, {manifest.queries} queries: {found}")
    else:
        note("answers are exact")
    note(f"{manifest.memory_bytes / 2**20:,.1f} MiB of memory, built in {manifest.build_s:.1f} s")
