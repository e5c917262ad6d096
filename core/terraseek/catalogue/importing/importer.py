"""Bring a source into a catalogue: read, look at every image, locate, write once at the end.

Nothing of the catalogue changes before the last step, and that is one rename; an import that is
killed leaves the catalogue as it was. Importing again adds only what is new, under the same ids.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from terraseek.catalogue.importing.geometa import Geometa
from terraseek.catalogue.importing.inspection import inspect
from terraseek.catalogue.importing.readers import Opened, open_source
from terraseek.catalogue.importing.report import ImportReport, write_broken
from terraseek.catalogue.importing.tables import usual_names
from terraseek.catalogue.items import append_items, build_frame
from terraseek.catalogue.items_file import ITEMS_FILE, read_items, read_sources
from terraseek.catalogue.items_file import write_items as _write
from terraseek.catalogue.locking import exclusive
from terraseek.catalogue.metadata.caption_facts import add_caption_facts
from terraseek.catalogue.metadata.dates import iso_date
from terraseek.catalogue.metadata.label_captions import compose_caption
from terraseek.catalogue.metadata.location import locate, parse_number
from terraseek.catalogue.records import Broken, LocationPrecision, Record, item_id
from terraseek.errors import CatalogueExistsError, SceneError, SourceError
from terraseek.files import write_json
from terraseek.progress import Progress, silent

__all__ = ["MANIFEST_FILE", "import_source"]

MANIFEST_FILE = "catalogue.json"
BROKEN_FOLDER = "broken"
_OURS = {
    ITEMS_FILE,
    MANIFEST_FILE,
    BROKEN_FOLDER,
    "embeddings",
    "hashes.npz",
    "reviews.sqlite",
}
_WORKERS = 2
_AHEAD = 256


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
    """Add the images of a source to a catalogue, which is made if it is not there.

    Images are not copied; the catalogue keeps where their bytes are. Damaged members, doubtful
    coordinates and repeated names are counted and listed, never fatal.

    Args:
        source: shards (`name-{0000..0001}.tar`, a list, a folder or one tar), folder or tar of
            images, table, or caption JSON.
        out: folder of the catalogue.
        geometa: table or tables with coordinates, dates or labels, joined by image name.
        kind: how to read the source, one of `readers.KINDS`, or `auto`.
        name: what to call the source; made from its file name otherwise.
        images: folder or tar of the images a table or caption file names.
        precision: how well its coordinates locate an image, if the rules of `locate` are wrong.
        check: decode every image, so that damaged ones are found now.
        progress: called with the stages `read` and `check`.

    Raises:
        SourceError: the source cannot be read, or holds no usable image.
        CatalogueExistsError: `out` exists and is something else than a catalogue.
        CatalogueError: another process is changing the catalogue, or its table is damaged.
    """
    folder = Path(out).absolute()
    _refuse_other_folder(folder)
    opened = open_source(source, kind, Path(images).absolute() if images else None)
    given = [geometa] if isinstance(geometa, (str, Path)) else list(geometa or ())
    tables = [Path(table) for table in given] or ([opened.geometa] if opened.geometa else [])
    joined = Geometa.read(*tables) if tables else None
    with exclusive(folder):
        job = _Job(folder, opened, name, joined, precision, check, progress)
        job.report.geometa = ", ".join(table.name for table in tables)
        return job.run()


def _refuse_other_folder(folder: Path) -> None:
    if folder.is_file():
        raise CatalogueExistsError(f"{folder} is a file; a catalogue is a folder")
    if folder.is_dir() and not (folder / ITEMS_FILE).exists():
        foreign = {p.name for p in folder.iterdir() if not p.name.startswith(".")} - _OURS
        if foreign:
            raise CatalogueExistsError(
                f"{folder} exists and holds other things ({sorted(foreign)[0]}); "
                "name a new folder for the catalogue"
            )


class _Job:
    """One import; the lock is held while it runs."""

    def __init__(
        self,
        folder: Path,
        opened: Opened,
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
        rows = [row for row in self._inspect(new) if row is not None]
        changed = self._relink(known)
        self.report.added, self.report.skipped = len(rows), len(known)
        if not rows and not known:
            first = self.report.broken[0] if self.report.broken else None
            why = f"; {first.member}: {first.reason}" if first else ""
            raise SourceError(f"{self.opened.location} holds no usable picture{why}")
        frame = append_items(self.old, build_frame(rows)) if rows else self.old
        self._count(frame.iloc[len(self.old) :])
        if rows or changed:
            self._describe(frame)
            _write(self.folder, frame, self.sources)
        self._write_manifest(frame)
        self.report.broken_file = write_broken(self.folder / BROKEN_FOLDER, self.report)
        return self.report

    def _read(self) -> tuple[dict[str, Record], dict[str, Record]]:
        """Records by item id: those the catalogue lacks, and those it has."""
        have = set(self.old["item_id"])
        new: dict[str, Record] = {}
        known: dict[str, Record] = {}
        for count, entry in enumerate(self.opened.read(), start=1):
            if isinstance(entry, Broken):
                self.report.broken.append(entry)
                continue
            key = item_id(self.source, entry.key)
            if key in new or key in known:
                self.report.duplicates += 1
            else:
                (known if key in have else new)[key] = entry
                if key in have and self.geometa is not None:
                    self.geometa.find(*_names(entry))  # counts the row as used
            if count % 1000 == 0:
                self.progress("read", count, 0)
        self.progress("read", len(new) + len(known), len(new) + len(known))
        return new, known

    def _inspect(self, records: dict[str, Record]) -> Iterator[dict[str, Any] | None]:
        """One row a record, or None where the image is damaged; order is kept."""

        def look(record: Record) -> dict[str, Any] | Broken:
            if record.image is None:
                return {}
            try:
                return inspect(record.image, self.check)
            except SceneError as error:
                return Broken(record.image.label, str(error))
            except OSError as error:
                return Broken(record.image.label, f"cannot be read: {error.strerror or error}")

        with ThreadPoolExecutor(_WORKERS) as pool:
            looked = _ahead(pool, look, records.values())
            for done, (key, seen) in enumerate(zip(records, looked, strict=True), start=1):
                if isinstance(seen, Broken):
                    self.report.broken.append(seen)
                    yield None
                else:
                    yield self._row(key, records[key], seen)
                if done % 100 == 0 or done == len(records):
                    self.progress("check", done, len(records))

    def _row(self, key: str, record: Record, seen: dict[str, Any]) -> dict[str, Any]:
        columns = self._joined(record)
        precision = self.precision or (self.geometa.precision if self.geometa else None)
        if parse_number(columns.get("lon")) is None and "lon" in seen:
            columns |= {"lon": seen["lon"], "lat": seen["lat"]}
            precision = "exact"
        columns = {**seen, **{k: v for k, v in columns.items() if v is not None and v != ""}}
        columns = add_caption_facts(columns)
        lon, lat, located, bad = locate(columns, precision)
        self.report.bad_coordinates += bad
        caption, origin = compose_caption(columns)
        ref = record.image
        return columns | {
            "item_id": key,
            "image": _reference(record),
            "caption": caption,
            "caption_source": origin,
            "lon": lon,
            "lat": lat,
            "location_precision": located,
            "captured_at": iso_date(columns.get("captured_at")),
            "source": self.source,
            "label": columns.get("label") or "",
            "_file": "" if ref is None else str(ref.file),
            "_offset": 0 if ref is None else ref.offset,
            "_size": -1 if ref is None else ref.size,
        }

    def _joined(self, record: Record) -> dict[str, Any]:
        # a webdataset's JSON may use the usual names, too
        renames = usual_names(tuple(record.columns))
        columns = {renames.get(k, k): v for k, v in record.columns.items()}
        if self.geometa is None:
            return columns
        row = self.geometa.find(*_names(record))
        if row is None:
            self.report.geometa_missing += 1
            return columns
        told = {str(k): v for k, v in row.items() if not pd.isna(v) and v != ""}
        return told | {k: v for k, v in columns.items() if v not in (None, "")}

    def _relink(self, known: dict[str, Record]) -> bool:
        """Point items whose file is gone to where it is now; others stay as they are."""
        mine = self.old["item_id"].isin(list(known))
        gone = {file for file in self.old.loc[mine, "_file"].unique() if not Path(file).is_file()}
        rows = self.old.index[mine & self.old["_file"].isin(gone)]
        found = 0
        for row in rows:
            record = known[str(self.old.at[row, "item_id"])]
            ref = record.image
            if ref is None:
                continue
            found += 1
            self.old.loc[row, ["image", "_file"]] = [_reference(record), str(ref.file)]
            self.old.loc[row, ["_offset", "_size"]] = [ref.offset, ref.size]
        self.report.relinked = found
        return found > 0

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

    def _describe(self, frame: pd.DataFrame) -> None:
        """Keep where the source is, so that another one of the same name is told from it."""
        self.sources[self.source] = {
            "kind": self.opened.kind,
            "location": str(self.opened.location),
            "items": int((frame["source"] == self.source).sum()),
            "root": str(self.folder),
        }

    def _write_manifest(self, frame: pd.DataFrame) -> None:
        path = self.folder / MANIFEST_FILE
        if path.exists() and path.stat().st_mtime >= (self.folder / ITEMS_FILE).stat().st_mtime:
            return
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        value = {
            "name": self.folder.name,
            "items": len(frame),
            "sources": self.sources,
            "written": created,
        }
        write_json(path, value)


def _names(record: Record) -> tuple[str, ...]:
    """What a metadata table may call an image."""
    member = "" if record.image is None else record.image.member
    return (str(record.columns.get("img_name") or ""), record.key, member)


def _reference(record: Record) -> str:
    """What people see: `shard.tar#member`, or a loose file's path below its source."""
    return record.image.label if record.image and record.image.member else record.key


def _free_name(opened: Opened, sources: dict[str, Any]) -> str:
    """The source's own name, unless another source that still exists has it."""
    base, number = opened.name, 1
    while True:
        name = base if number == 1 else f"{base}-{number}"
        known = sources.get(name)
        if known is None or known["location"] == str(opened.location):
            return name
        where = Path(known["location"])
        if not (where.exists() or next(where.parent.glob(f"{where.name}*"), None)):
            return name  # it has moved
        number += 1


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(k): int(v) for k, v in values.value_counts().items()}


def _ahead(pool: ThreadPoolExecutor, work: Any, values: Iterable[Any]) -> Iterator[Any]:  # noqa: ANN401
    """Results in order, with a bounded number of calls waiting, unlike `pool.map`."""
    waiting: list[Future[Any]] = []
    for value in values:
        waiting.append(pool.submit(work, value))
        if len(waiting) >= _AHEAD:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()
