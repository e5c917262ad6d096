"""Report of an import, as text and JSON, and the list of unusable members as a CSV file."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terraseek.catalogue.records import Broken
from terraseek.files import write_text

__all__ = ["ImportReport", "write_broken"]

_MAX_REASONS = 4
_MAX_REASON_LENGTH = 80


@dataclass(slots=True)
class ImportReport:
    """Counts of one import, and all members that could not be used."""

    source: str = ""
    """Name of the source in the catalogue."""
    added: int = 0
    """New items."""
    skipped: int = 0
    """Items that were in the catalogue already, and are unchanged."""
    relinked: int = 0
    """Skipped items whose file had moved and whose location was updated."""
    attached: int = 0
    """Skipped items that had no image and got one, see `import_source`."""
    completed: int = 0
    """Items of other sources that got values for empty columns."""
    broken: list[Broken] = field(default_factory=list)
    """Members that could not be used, with the reason."""
    broken_file: str = ""
    """CSV file that lists these members; empty if there are none."""
    kinds: dict[str, int] = field(default_factory=dict)
    """Added items by kind of reader."""
    duplicates: int = 0
    """Members with the name of an earlier member of the source; they are ignored."""
    bad_coordinates: int = 0
    """Added items whose coordinates were invalid (not numbers, out of range or 0,0) and ignored."""
    precision: dict[str, int] = field(default_factory=dict)
    """Added items by location precision."""
    caption_sources: dict[str, int] = field(default_factory=dict)
    """Added items by origin of their caption: source, geometa, label, or none."""
    geometa: str = ""
    """Names of the metadata tables that were joined."""
    geometa_duplicates: int = 0
    """Rows of these tables with the name of an earlier row of the same table."""
    geometa_missing: int = 0
    """Added items without a row in these tables."""
    geometa_unused: int = 0
    """Rows of these tables with a name that no image has."""
    unused: dict[str, int] = field(default_factory=dict)
    """What the source contains and the import could not use or place, by reason."""
    renamed: dict[str, str] = field(default_factory=dict)
    """New names of columns whose name differs from another one by case only."""
    total: int = 0
    """Items in the catalogue after the import."""

    def count_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Count the rows of new items, and where their places and captions come from."""
        self.added += len(rows)
        for counts, column in (
            (self.precision, "location_precision"),
            (self.caption_sources, "caption_source"),
        ):
            _add_counts(counts, Counter(row[column] or "none" for row in rows))

    def add(self, part: "ImportReport") -> None:
        """Add the counts that the rows of a part of the records gave."""
        self.added += part.added
        self.bad_coordinates += part.bad_coordinates
        self.geometa_missing += part.geometa_missing
        _add_counts(self.unused, part.unused)
        _add_counts(self.precision, part.precision)
        _add_counts(self.caption_sources, part.caption_sources)

    def summary(self) -> str:
        """One line of text; counts of zero are omitted."""
        parts = [f"{self.added:,} added", f"{self.skipped:,} already there"]
        rest = {
            "relinked": self.relinked,
            "images attached": self.attached,
            "completed": self.completed,
            "duplicate names": self.duplicates,
            "broken": len(self.broken),
            "bad coordinates": self.bad_coordinates,
            "without metadata row": self.geometa_missing,
            "metadata rows unused": self.geometa_unused,
            "without a place": self.precision.get("none", 0),
            **{f"not used: {reason}": count for reason, count in self.unused.items()},
        }
        parts += [f"{count:,} {what}" for what, count in rest.items() if count]
        if self.broken:
            reasons = "; ".join(f"{n:,} {reason}" for reason, n in self.broken_reasons().items())
            parts = [f"{part} ({reasons})" if part.endswith(" broken") else part for part in parts]
        parts += [f"column {old!r} is now {new!r}" for old, new in self.renamed.items()]
        return f"{self.source}: {', '.join(parts)}; {self.total:,} items in all"

    def broken_reasons(self) -> dict[str, int]:
        """Number of unusable members by reason, most frequent first, without names and numbers.

        Rare reasons, beyond the first few, are counted together.
        """
        found = Counter(_reason_in_short(broken) for broken in self.broken).most_common()
        shown = dict(found[:_MAX_REASONS])
        others = sum(count for _, count in found[_MAX_REASONS:])
        return shown | ({"for other reasons": others} if others else {})

    def to_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["broken"] = [{"member": b.member, "reason": b.reason} for b in self.broken]
        values["broken_reasons"] = self.broken_reasons()
        return values


def _add_counts(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for value, count in more.items():
        counts[value] = counts.get(value, 0) + count


def _reason_in_short(broken: Broken) -> str:
    """First sentence of a reason without the names, sizes and details of this member."""
    text = broken.reason
    for name in (broken.member, re.split(r"[#/]", broken.member)[-1]):
        text = text.replace(name, " ") if name else text
    text = re.sub(r"\([^)]*\)|'[^']*'|\"[^\"]*\"", " ", text)
    text = re.sub(r"\d[\d,.x]*", "N", re.split(r"[;:]", text)[0])
    return " ".join(text.split())[:_MAX_REASON_LENGTH].strip(" ,") or "unusable"


def write_broken(folder: Path, report: ImportReport) -> str:
    """Write `SOURCE.csv` with the members that could not be used; remove it if there are none.

    Returns:
        Path of the file; empty text if there are no such members.
    """
    path = folder / (re.sub(r"[^\w.-]+", "_", report.source) + ".csv")
    if not report.broken:
        path.unlink(missing_ok=True)
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("member", "reason"))
    writer.writerows((broken.member, broken.reason) for broken in report.broken)
    write_text(path, text.getvalue())
    return str(path)
