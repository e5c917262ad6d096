"""Import of a source into a catalogue, see `import_job`: its arguments, checks and manifest.

The catalogue changes only in the last step, which is one rename; an import that is killed leaves it
unchanged. Importing a source again adds only new items, under the same ids.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from terraseek.catalogue.importing.geometa import Geometa
from terraseek.catalogue.importing.import_job import ImportJob, ImportOptions
from terraseek.catalogue.importing.readers.reader import OpenedSource
from terraseek.catalogue.importing.readers.registry import open_source
from terraseek.catalogue.importing.report import ImportReport, write_broken
from terraseek.catalogue.items_file import ITEMS_FILE, open_items
from terraseek.catalogue.locking import exclusive
from terraseek.catalogue.records import LocationPrecision
from terraseek.errors import CatalogueExistsError
from terraseek.files import read_json, write_json
from terraseek.parallel.engine import TaskEngine
from terraseek.progress import Progress, silent

__all__ = ["MANIFEST_FILE", "import_source"]

MANIFEST_FILE = "catalogue.json"
BROKEN_FOLDER = "broken"
_CATALOGUE_FILES = {
    ITEMS_FILE,
    MANIFEST_FILE,
    BROKEN_FOLDER,
    "embeddings",
    "hashes.npz",
    "reviews.sqlite",
}


def import_source(
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    geometa: str | Path | Sequence[str | Path] | None = None,
    kind: str = "auto",
    name: str | None = None,
    images: str | Path | None = None,
    precision: LocationPrecision | None = None,
    check: bool = True,
    progress: Progress = silent,
    engine: TaskEngine | None = None,
) -> ImportReport:
    """Add the images of a source to a catalogue, which is created if it does not exist.

    Images are not copied; the catalogue stores the location of their bytes. Damaged members,
    invalid coordinates and repeated names are counted and reported but do not stop the import.

    A table of metadata without images (kind `metadata`, such as RS5M's) makes items without images.
    Shards with images of the same names attach them later, and further metadata tables complete
    the items; existing values stay.

    Args:
        source: shards (`name-{0000..0001}.tar`, a list, a folder or one tar), folder or tar of
            images, table, caption JSON, STAC items, clip-retrieval folder or Major TOM embeddings.
        out: folder of the catalogue.
        geometa: table or tables with coordinates, dates or labels, joined by image name.
        kind: format of the source, one of `readers.registry.KINDS`, or `auto` to recognise it.
        name: name of the source; by default made from its file name.
        images: folder or tar of the images that a table or caption file names.
        precision: location precision of the coordinates, instead of the rules of `locate`.
        check: decode every image, so that damaged images are found now.
        progress: called with the stage `import`.
        engine: whose workers make the rows of a large table without images; None uses this process.
            The catalogue is the same.

    Raises:
        SourceError: the source cannot be read, or contains no usable image.
        CatalogueExistsError: `out` exists and is not a catalogue.
        CatalogueError: another process is changing the catalogue, or its table is damaged.
        TaskError: the workers of the engine fail; the catalogue is unchanged.
    """
    folder = Path(out).absolute()
    _check_target(folder)
    opened = open_source(source, kind, Path(images).absolute() if images else None)
    given = [geometa] if isinstance(geometa, (str, Path)) else list(geometa or ())
    tables = [Path(table) for table in given] or ([opened.geometa] if opened.geometa else [])
    joined = Geometa.read(*tables) if tables else None
    with exclusive(folder):
        exists = (folder / ITEMS_FILE).exists()
        old, sources = open_items(folder) if exists else (None, {})
        options = ImportOptions(name or _free_name(opened, sources), joined, precision, check)
        job = ImportJob(folder, opened, options, old, sources, progress, engine)
        job.report.geometa = ", ".join(table.name for table in tables)
        report = job.run()
        _write_manifest(folder)
        report.broken_file = write_broken(folder / BROKEN_FOLDER, report)
        return report


def _check_target(folder: Path) -> None:
    if folder.is_file():
        raise CatalogueExistsError(f"{folder} is a file; a catalogue is a folder")
    if folder.is_dir() and not (folder / ITEMS_FILE).exists():
        names = {p.name for p in folder.iterdir() if not p.name.startswith(".")}
        foreign = names - _CATALOGUE_FILES
        if foreign:
            raise CatalogueExistsError(
                f"{folder} exists and contains other files ({sorted(foreign)[0]}); "
                "name a new folder for the catalogue"
            )


def _write_manifest(folder: Path) -> None:
    """Write `catalogue.json`, a copy of the list of sources for people, if it has changed."""
    items, sources = open_items(folder)
    path = folder / MANIFEST_FILE
    manifest = {
        "name": folder.name,
        "items": items.num_rows,
        "sources": sources,
        "written": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if _without_time(path) != {k: v for k, v in manifest.items() if k != "written"}:
        write_json(path, manifest)


def _without_time(path: Path) -> dict[str, Any] | None:
    """Content of `catalogue.json` without the time of writing; None if it cannot be read."""
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return None
    return {k: v for k, v in value.items() if k != "written"} if isinstance(value, dict) else None


def _free_name(opened: OpenedSource, sources: dict[str, Any]) -> str:
    """Name of the opened source, numbered if another existing source has that name."""
    number = 1
    while True:
        name = opened.name if number == 1 else f"{opened.name}-{number}"
        known = sources.get(name)
        if known is None or known["location"] == str(opened.location):
            return name
        location = Path(known["location"])
        if not (location.exists() or next(location.parent.glob(f"{location.name}*"), None)):
            return name  # it was moved
        number += 1
