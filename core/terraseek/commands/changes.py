"""`terraseek delete`, `compact`, `duplicates`, `outliers`, `backup`: changes and copies."""

from pathlib import Path
from typing import Annotated

import typer

from terraseek.commands.console import CatalogueArgument, JsonOption, bar, note, print_json
from terraseek.errors import ConfigError, TerraSeekError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("delete")(delete)
    app.command("compact")(compact)
    app.command("duplicates")(duplicates)
    app.command("backup")(backup)
    app.command("outliers")(outliers)


def delete(
    catalogue: CatalogueArgument,
    ids: Annotated[
        list[str] | None, typer.Option("--ids", help="Item ids, separated by commas; repeatable.")
    ] = None,
    condition: Annotated[
        str | None,
        typer.Option("--sql", help="SQL condition on columns: source = 'old' OR width < 32."),
    ] = None,
    former_condition: Annotated[str | None, typer.Option("--where", hidden=True)] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Restore deleted items: those of --ids, or all.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete items from a catalogue; `--undo` restores them until `compact` removes them."""
    from terraseek.catalogue import Filter
    from terraseek.catalogue.deletion import delete_items, restore_items

    if former_condition:
        note("--where is now --sql; the old name will go with the next release")
    condition = condition or former_condition
    chosen = [key.strip() for part in ids or () for key in part.split(",") if key.strip()]
    if undo and condition:
        raise ConfigError("--undo restores --ids or everything; --sql cannot select deleted items")
    if not undo and not chosen and not condition:
        raise ConfigError("say what to delete, with --ids or --sql")
    if undo:
        count = restore_items(catalogue, chosen)
    else:
        count = delete_items(catalogue, chosen, Filter(sql=condition) if condition else None)
    note(f"{count:,} items {'restored' if undo else 'deleted'}")
    if as_json:
        print_json({"restored" if undo else "deleted": count})


def compact(catalogue: CatalogueArgument, as_json: JsonOption = False) -> None:
    """Remove deleted items and their vectors permanently."""
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.compact import compact_catalogue
    from terraseek.index.engine_build import collections_of

    collections = collections_of(Catalogue.open(catalogue))
    with bar() as progress:
        done = compact_catalogue(catalogue, progress)
    note(
        f"{done.dropped:,} rows removed, also in the vectors of {', '.join(done.stores) or 'none'}"
    )
    for name in done.unusable:
        note(f"the vectors of {name} do not match the rows; run `terraseek embed --model {name}`")
    _drop([name for model in done.stores for name in collections.get(model, ())])
    if as_json:
        print_json(
            {
                "dropped": done.dropped,
                "stores": list(done.stores),
                "unusable": list(done.unusable),
            }
        )


def _drop(collections: list[str]) -> None:
    """Delete the collections in Qdrant whose indexes a compaction has dropped."""
    from terraseek.index.engine_build import drop_collections

    if not collections:
        return
    names = ", ".join(collections)
    try:
        drop_collections(collections)
    except TerraSeekError as error:
        note(f"the database keeps {names}, which no index uses any more: {error}")
        return
    note(f"deleted {names} in the database; run `terraseek index --engine qdrant` again")


def backup(
    catalogue: CatalogueArgument,
    out: Annotated[Path, typer.Argument(help="New folder for the copy.")],
) -> None:
    """Copy a catalogue with its embeddings and reviews, also while it is served and reviewed."""
    from terraseek.review.backup import backup_catalogue

    with bar() as progress:
        n_bytes = backup_catalogue(catalogue, out, progress)
    note(f"{n_bytes / 1e6:,.1f} MB -> {out}; the images stay where they are")


def duplicates(
    catalogue: CatalogueArgument,
    model: Annotated[str | None, typer.Option(help="Model whose vectors are compared.")] = None,
    cosine: Annotated[float, typer.Option(help="Smallest cosine of two duplicates.")] = 0.9,
    bits: Annotated[
        int, typer.Option(help="Largest distance of their hashes, in bits of 64.")
    ] = 10,
    as_json: JsonOption = False,
) -> None:
    """Mark near-duplicates in the column `duplicate_of`, so that searches can collapse them."""
    from terraseek.search.duplicates import mark_duplicates

    with bar() as progress:
        found = mark_duplicates(catalogue, model, cosine=cosine, bits=bits, progress=progress)
    note(f"{found.marked:,} items are near-duplicates of another one, in {found.groups:,} groups")
    if as_json:
        print_json({"pairs": found.pairs, "groups": found.groups, "marked": found.marked})


def outliers(
    catalogue: CatalogueArgument,
    names: Annotated[
        list[Path] | None,
        typer.Option(help="List of image names to mark, a text file or table; repeatable."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option(help="File for the names of all marked images.")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove earlier marks first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Mark images that are no remote sensing in the column `outlier`, from lists of names."""
    from terraseek.catalogue.outliers import mark_outliers, read_names, write_outliers

    if not names and write is None and not clear:
        raise ConfigError("give lists of names by --names, a file by --write, or --clear")
    result: dict[str, int] = {}
    if names or clear:
        listed = [name for path in names or () for name in read_names(path)]
        marked, unknown = mark_outliers(catalogue, listed, clear)
        note(f"{marked:,} items are marked; {unknown:,} names of the lists are not in it")
        result |= {"marked": marked, "unknown": unknown}
    if write is not None:
        result["written"] = write_outliers(catalogue, write)
        note(f"{result['written']:,} names in {write}")
    if as_json:
        print_json(result)
