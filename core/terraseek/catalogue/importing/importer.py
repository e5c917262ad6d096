"""Import of a source into a catalogue: read records, inspect images, locate items, write once.

The catalogue changes only in the last step, which is one rename; an import that is killed leaves it
unchanged. Importing a source again adds only new items, under the same ids.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from terraseek.catalogue.importing.bounded_map import bounded_map
from terraseek.catalogue.importing.geometa import Geometa
from terraseek.catalogue.importing.inspection import ANIMATED, inspect
from terraseek.catalogue.importing.item_row import image_label, item_row, table_names
from terraseek.catalogue.importing.lookup import is_inside
from terraseek.catalogue.importing.readers.reader import OpenedSource
from terraseek.catalogue.importing.readers.registry import open_source
from terraseek.catalogue.importing.report import ImportReport, write_broken
from terraseek.catalogue.items import append_items, build_frame, distinct_columns
from terraseek.catalogue.items_file import ITEMS_FILE, read_items, read_sources, write_items
from terraseek.catalogue.locking import exclusive
from terraseek.catalogue.records import Broken, LocationPrecision, Record, Unused, item_id
from terraseek.errors import CatalogueExistsError, SceneError, SourceError
from terraseek.files import read_json, write_json
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
_WORKERS = 2
_MAX_PENDING = 256


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
) -> ImportReport:
    """Add the images of a source to a catalogue, which is created if it does not exist.

    Images are not copied; the catalogue stores the location of their bytes. Damaged members,
    invalid coordinates and repeated names are counted and reported but do not stop the import.

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
        progress: called with the stages `read` and `check`.

    Raises:
        SourceError: the source cannot be read, or contains no usable image.
        CatalogueExistsError: `out` exists and is not a catalogue.
        CatalogueError: another process is changing the catalogue, or its table is damaged.
    """
    folder = Path(out).absolute()
    _check_target(folder)
    opened = open_source(source, kind, Path(images).absolute() if images else None)
    given = [geometa] if isinstance(geometa, (str, Path)) else list(geometa or ())
    tables = [Path(table) for table in given] or ([opened.geometa] if opened.geometa else [])
    joined = Geometa.read(*tables) if tables else None
    with exclusive(folder):
        job = _ImportJob(folder, opened, name, joined, precision, check, progress)
        job.report.geometa = ", ".join(table.name for table in tables)
        return job.run()


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


class _ImportJob:
    """One import, while the lock of the catalogue is held."""

    def __init__(
        self,
        folder: Path,
        opened: OpenedSource,
        name: str | None,
        geometa: Geometa | None,
        precision: LocationPrecision | None,
        check: bool,
        progress: Progress,
    ) -> None:
        exists = (folder / ITEMS_FILE).exists()
        self.folder, self.opened, self.geometa = folder, opened, geometa
        self.precision, self.check, self.progress = precision, check, progress
        self.old = read_items(folder) if exists else build_frame([])
        self.sources = read_sources(folder) if exists else {}
        self.source = name or _free_name(opened, self.sources)
        self.report = ImportReport(source=self.source)

    def run(self) -> ImportReport:
        new, known = self._read()
        rows = list(self._rows(new))
        relinked = self._relink(known)
        self.report.added, self.report.skipped = len(rows), len(known)
        if not rows and not known:
            first = self.report.broken[0] if self.report.broken else None
            why = f"; {first.member}: {first.reason}" if first else ""
            raise SourceError(f"{self.opened.location} contains no usable image{why}")
        rows, self.report.renamed = distinct_columns(rows, self.old.columns)
        frame = append_items(self.old, build_frame(rows)) if rows else self.old
        self._count(frame.iloc[len(self.old) :])
        if rows or relinked:
            self._describe_source(frame)
            write_items(self.folder, frame, self.sources)
        self._write_manifest(frame)
        self.report.broken_file = write_broken(self.folder / BROKEN_FOLDER, self.report)
        return self.report

    def _read(self) -> tuple[dict[str, Record], dict[str, Record]]:
        """Read the records by item id: those that are new, and those in the catalogue."""
        existing = set(self.old["item_id"])
        new: dict[str, Record] = {}
        known: dict[str, Record] = {}
        for count, entry in enumerate(self.opened.read(), start=1):
            if isinstance(entry, Broken):
                self.report.broken.append(entry)
                continue
            if isinstance(entry, Unused):
                self._count_unused(entry.what, entry.count)
                continue
            if not _is_text(entry):
                name = entry.key.encode("utf-8", "replace").decode()
                self.report.broken.append(Broken(name, "its name is no UTF-8; rename it"))
                continue
            key = item_id(self.source, entry.key)
            if key in new or key in known:
                self.report.duplicates += 1
            else:
                (known if key in existing else new)[key] = entry
                if key in existing and self.geometa is not None:
                    self.geometa.find(*table_names(entry))  # counts the row as used
            if count % 1000 == 0:
                self.progress("read", count, 0)
        self.progress("read", len(new) + len(known), len(new) + len(known))
        return new, known

    def _rows(self, records: dict[str, Record]) -> Iterator[dict[str, Any]]:
        """Inspect the images, and yield a row for each usable one, in order."""

        def inspect_record(record: Record) -> dict[str, Any] | Broken:
            if record.image is None:
                return {}
            try:
                return inspect(record.image, self.check)
            except SceneError as error:
                return Broken(record.image.label, str(error))
            except OSError as error:
                return Broken(record.image.label, f"cannot be read: {error.strerror or error}")

        with ThreadPoolExecutor(_WORKERS) as pool:
            results = bounded_map(pool, inspect_record, records.values(), _MAX_PENDING)
            for done, (key, inspected) in enumerate(zip(records, results, strict=True), start=1):
                if isinstance(inspected, Broken):
                    self.report.broken.append(inspected)
                else:
                    if inspected.pop(ANIMATED, False):
                        self._count_unused("frames after the first of animations", 1)
                    yield self._row(key, records[key], inspected)
                if done % 100 == 0 or done == len(records):
                    self.progress("check", done, len(records))

    def _count_unused(self, what: str, count: int) -> None:
        self.report.unused[what] = self.report.unused.get(what, 0) + count

    def _row(self, key: str, record: Record, inspected: dict[str, Any]) -> dict[str, Any]:
        row = item_row(
            key, record, inspected, self.source, self.geometa, self.precision, self.report
        )
        file = row.get("vector_file")
        if file:
            location = self.opened.location
            folder = location if location.is_dir() else location.parent
            path = folder / str(file)
            row["vector_file"] = str(path)
            if not is_inside(path, folder):
                self._count_unused("vector files outside of the source", 1)
                del row["vector_file"]
        return row

    def _relink(self, known: dict[str, Record]) -> bool:
        """Update the location of items whose file is missing; returns whether any changed."""
        in_source = self.old["item_id"].isin(list(known))
        files = self.old.loc[in_source, "_file"].unique()
        missing = {file for file in files if not Path(file).is_file()}
        rows = self.old.index[in_source & self.old["_file"].isin(missing)]
        for row in rows:
            record = known[str(self.old.at[row, "item_id"])]
            ref = record.image
            if ref is None:
                continue
            self.report.relinked += 1
            self.old.loc[row, ["image", "_file"]] = [image_label(record), str(ref.file)]
            self.old.loc[row, ["_offset", "_size"]] = [ref.offset, ref.size]
        return self.report.relinked > 0

    def _count(self, added: pd.DataFrame) -> None:
        report = self.report
        report.total = len(self.old) + len(added)
        if len(added):
            report.kinds = {self.opened.kind: len(added)}
            report.precision = _counts(added["location_precision"])
            report.caption_sources = _counts(added["caption_source"].replace("", "none"))
        if self.geometa is not None:
            report.geometa_duplicates = self.geometa.duplicates
            report.geometa_unused = self.geometa.unused

    def _describe_source(self, frame: pd.DataFrame) -> None:
        """Store the location of the source, which distinguishes sources of the same name."""
        self.sources[self.source] = {
            "kind": self.opened.kind,
            "location": str(self.opened.location),
            "items": int((frame["source"] == self.source).sum()),
            "root": str(self.folder),
        }

    def _write_manifest(self, frame: pd.DataFrame) -> None:
        path = self.folder / MANIFEST_FILE
        manifest = {
            "name": self.folder.name,
            "items": len(frame),
            "sources": self.sources,
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


def _is_text(record: Record) -> bool:
    """Whether names can be stored: those of files that are no UTF-8 have lone surrogates."""
    names = (record.key, "" if record.image is None else str(record.image.file))
    return not any("\ud800" <= letter <= "\udfff" for name in names for letter in name)


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


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(k): int(v) for k, v in values.value_counts().items()}
