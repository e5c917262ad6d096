"""Last step of a run: shards, catalogue, data card and report of the accepted items."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from terraseek.catalogue.importing.importer import import_source
from terraseek.errors import SourceError
from terraseek.files import read_json, write_json
from terraseek.progress import Progress, silent
from terraseek_train.corpus.geo.statistics import geo_statistics
from terraseek_train.corpus.output.card import write_card
from terraseek_train.corpus.output.report import write_report
from terraseek_train.corpus.output.shards import WITHOUT_IMAGES, without_image, write_shards
from terraseek_train.corpus.recipe import Recipe, digest_of
from terraseek_train.corpus.sources import ShardInput

__all__ = ["finish_corpus"]


def finish_corpus(
    recipe: Recipe, shards: Sequence[ShardInput], progress: Progress = silent
) -> dict[str, int]:
    """Write `shards/`, `catalogue/`, `card.json`, `card.md` and `report.html`.

    Nothing is written again if recipe and accepted items have not changed. Returns the number of
    items in `train` and `val`.

    Raises:
        SourceError: no item is left.
    """
    out = Path(recipe.out).absolute()
    key = digest_of([recipe.digest, *[shard.digest for shard in shards]])
    done = out / "finished.json"
    if done.exists() and read_json(done)["digest"] == key:
        counts: dict[str, int] = read_json(done)["splits"]
        return counts
    if not sum(shard.rows for shard in shards):
        raise SourceError(f"no item is left in {out}; see terraseek corpus status")
    progress("write", 0, 3)
    splits = write_shards(recipe, shards, out / "shards")
    progress("write", 1, 3)
    catalogue = out / "catalogue"
    if catalogue.exists() and not (catalogue / "reviews.sqlite").exists():
        shutil.rmtree(catalogue)  # of an earlier recipe; one with reviews is added to
    _import(recipe.name, out / "shards", catalogue)
    progress("write", 2, 3)
    items = pa.concat_tables(
        [pq.read_table(shard.file) for shard in shards], promote_options="default"
    )
    facts = {"geo": geo_statistics(items), "without_image": without_image(shards)}
    write_card(recipe, out, splits, facts)
    write_report(recipe, out, shards)
    write_json(done, {"digest": key, "splits": splits})
    progress("write", 3, 3)
    return splits


def _import(name: str, shards: Path, catalogue: Path) -> None:
    """Import the shards, and the table of items without an image as metadata."""
    if tars := sorted(shards.glob("*.tar")):
        import_source(tars, catalogue, name=name, geometa=shards / "items.parquet")
    if (shards / WITHOUT_IMAGES).exists():
        import_source(
            shards / WITHOUT_IMAGES, catalogue, kind="metadata", name=f"{name}-without-images"
        )
