"""What an import did, for people, as JSON, and the list of what could not be used as a file."""

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terraseek.catalogue.records import Broken
from terraseek.files import write_text

__all__ = ["ImportReport", "write_broken"]


@dataclass(slots=True)
class ImportReport:
    """Counts of one import, and every member that could not be used."""

    source: str = ""
    """Name the source has in the catalogue."""
    added: int = 0
    """New items."""
    skipped: int = 0
    """Items the catalogue had already; left as they were."""
    relinked: int = 0
    """Of those skipped, items whose file had moved and is found again."""
    broken: list[Broken] = field(default_factory=list)
    """Members that could not be used, with the reason."""
    broken_file: str = ""
    """CSV file that lists them; empty if there are none."""
    kinds: dict[str, int] = field(default_factory=dict)
    """Which reader gave how many of the added items."""
    duplicates: int = 0
    """Members whose name had come before in the same source; the first one counts."""
    bad_coordinates: int = 0
    """Added items whose coordinates were no number, out of range or 0,0, and were dropped."""
    precision: dict[str, int] = field(default_factory=dict)
    """Added items by location precision."""
    caption_sources: dict[str, int] = field(default_factory=dict)
    """Added items by where their caption comes from: source, geometa, label, or none."""
    geometa: str = ""
    """Metadata table that was joined."""
    geometa_duplicates: int = 0
    """Its rows whose name had come before."""
    geometa_missing: int = 0
    """Added items it says nothing about."""
    geometa_unused: int = 0
    """Its names no image has."""
    total: int = 0
    """Items in the catalogue afterwards."""

    def summary(self) -> str:
        """One line for people; what is zero is left out."""
        parts = [f"{self.added:,} added", f"{self.skipped:,} already there"]
        rest = {
            "found again": self.relinked,
            "duplicate names": self.duplicates,
            "broken": len(self.broken),
            "bad coordinates": self.bad_coordinates,
            "without metadata row": self.geometa_missing,
            "metadata rows unused": self.geometa_unused,
        }
        parts += [f"{count:,} {what}" for what, count in rest.items() if count]
        return f"{self.source}: {', '.join(parts)}; {self.total:,} items in all"

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["broken"] = [{"member": b.member, "reason": b.reason} for b in self.broken]
        return values


def write_broken(folder: Path, report: ImportReport) -> str:
    """Write `SOURCE.csv` with the members that could not be used; without any, remove it.

    Returns:
        its path, or empty text.
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
