"""Import of metadata without images: `python benchmarks/metadata_import.py [--workers N]`.

Two cases on made tables in RS5M's layout, each in a process of its own: a table like RS3's (35 %
fMoW, 17 % BigEarthNet, 48 % MillionAID, as in its rating dump) alone, and a table of fMoW joined
with a table of captions. Reported: rows a second, and the peak of the process's memory above that
of an import of one row, with and without the pages of mapped files, which are given back as needed.
CPU time includes that of worker processes, memory does not.
"""

import argparse
import csv
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from terraseek.catalogue.metadata.dates import MONTHS

SEASONS = ("Winter", "Winter", "Spring", "Spring", "Spring", "Summer") * 2
PLACES = (("Cotonou", "Benin"), ("Lima", "Peru"), ("Nantes", "France"), ("Hobart", "Australia"))
CLASSES = ("port", "airport", "golf_course", "solar_farm", "stadium", "crop_field", "barn")
SENTENCE = "an aerial photograph of some buildings with {} roofs beside a road"
COLOURS = ("red", "grey", "white", "brown")
HEADER = (
    "img_name",
    "subset_name",
    "meta_caption",
    "caption",
    "country",
    "month",
    "latitude",
    "longitude",
    "utm",
)


def fmow_row(number: int, draw: random.Random) -> tuple[str, ...]:
    month, (town, country) = draw.randrange(12), draw.choice(PLACES)
    lat, lon = draw.uniform(-60, 60), draw.uniform(-180, 180)
    zone = f"{int((lon + 180) // 6) + 1}{'CDEFGHJKLMNPQRSTUVWX'[int((lat + 80) // 8)]}"
    caption = (
        f"a sensor passed over {town}, {country} in {SEASONS[month]} and recorded "
        f"{draw.choice(CLASSES)} in the center and top-left blocks of the frame. the ground sample "
        f"distance of this image is {draw.uniform(0.3, 2.5):.2f}m. it belongs to utm zone {zone} "
        f"with the timestamp {draw.randrange(24)} o'clock, {MONTHS[month]} {draw.randint(1, 28)}, "
        f"20{draw.randint(10, 17)}. cloud cover was {draw.randrange(100)}%, and the scan direction "
        f"was forward. the angles were target azimuth: {draw.uniform(0, 360):.2f}° and off-nadir: "
        f"{draw.uniform(0, 40):.2f}°."
    )
    name = f"fmow_{draw.choice(CLASSES)}_{number}_0_rgb.jpg"
    return (name, "fmow", caption, "", country, MONTHS[month], f"{lat:.6f}", f"{lon:.6f}", zone)


def ben_row(number: int, draw: random.Random) -> tuple[str, ...]:
    month, zone = draw.randrange(12), f"{draw.randint(29, 35)}N"
    caption = (
        f"in {SEASONS[month]}, a satellite saw 'coniferous forest, pastures, sea and ocean' in the "
        f"utm zone {zone}, dated {draw.randrange(24)} o'clock, {MONTHS[month]} 3, 2017."
    )
    return (f"ben_{number}.jpg", "ben", caption, "", "", MONTHS[month], "", "", zone)


def rs3_rows(count: int) -> Iterator[tuple[str, ...]]:
    draw = random.Random(7)
    for number in range(count):
        kind = draw.random()
        sentence = SENTENCE.format(draw.choice(COLOURS))
        if kind < 0.48:
            row = (f"millionaid_P{number:07d}.jpg", "millionaid", *[""] * 7)
        else:
            row = ben_row(number, draw) if kind < 0.65 else fmow_row(number, draw)
        yield (*row[:3], f"{row[2]} {sentence}".strip(), *row[4:])


def fmow_rows(count: int) -> Iterator[tuple[str, ...]]:
    draw = random.Random(7)
    return (fmow_row(number, draw) for number in range(count))


def write_tables(folder: Path, rows: int) -> None:
    """Write `rs3.csv`, and `fmow.csv` with `fmow_captions.csv`, whose rows are joined."""
    with (folder / "rs3.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rs3_rows(rows)])
    with (
        (folder / "fmow.csv").open("w", newline="", encoding="utf-8") as file,
        (folder / "fmow_captions.csv").open("w", newline="", encoding="utf-8") as captions,
    ):
        table, sentences = csv.writer(file), csv.writer(captions)
        table.writerow(HEADER)
        sentences.writerow(("img_name", "text"))
        for row in fmow_rows(rows):
            table.writerow((row[0], "", row[2], "", *row[4:]))
            sentences.writerow((row[0], f"{row[2]} {SENTENCE.format('red')}"))


class OwnMemory(threading.Thread):
    """Peak of the memory that is the process's own, without pages of mapped files (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._done = threading.Event()

    def run(self) -> None:
        status = Path("/proc/self/status")
        while status.exists():
            found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text())
            self.peak = max(self.peak, 1024 * int(found[1]) if found else 0)
            if self._done.wait(0.05):
                return

    def __enter__(self) -> "OwnMemory":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.join()


def import_once(table: Path, geometa: Path | None, out: Path, workers: int) -> dict[str, float]:
    """Import in this process and perhaps workers, and measure it."""
    from terraseek.catalogue import import_source
    from terraseek.parallel.local import LocalEngine

    started, cpu = time.perf_counter(), time.process_time()
    with OwnMemory() as own, LocalEngine(workers) as engine:
        report = import_source(table, out, geometa=geometa, engine=engine if workers > 1 else None)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "workers_cpu_seconds": children.ru_utime + children.ru_stime,
        "own_peak_mb": own.peak / 2**20,
        "rows": report.added,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu + children.ru_utime + children.ru_stime,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "located": report.added - report.precision.get("none", 0),
    }


def measure(table: Path, geometa: Path | None, out: Path, workers: int) -> dict[str, float]:
    """Import in a process of its own."""
    command = [sys.executable, __file__, "--import", str(table), "--out", str(out)]
    command += ["--workers", str(workers)]
    command += ["--geometa", str(geometa)] if geometa else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    values: dict[str, float] = json.loads(done.stdout)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--import", dest="table", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--geometa", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.table:
        given = options.table, options.geometa, options.out
        print(json.dumps(import_once(*given, options.workers)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one").mkdir()
        write_tables(folder, options.rows)
        write_tables(folder / "one", 1)
        cases = {"rs3 alone": ("rs3.csv", None), "fmow joined": ("fmow_captions.csv", "fmow.csv")}
        results = {}
        for case, (table, geometa) in cases.items():
            found = []
            for place in (folder / "one", folder):
                joined = place / geometa if geometa else None
                found.append(measure(place / table, joined, place / case, options.workers))
            base, full = found
            added = full["peak_mb"] - base["peak_mb"]
            full["base_mb"] = base["peak_mb"]
            full["bytes_per_row"] = 2**20 * added / full["rows"]
            own = full["own_peak_mb"] - base["own_peak_mb"]
            full["own_bytes_per_row"] = 2**20 * own / full["rows"]
            full["rows_per_second"] = full["rows"] / full["seconds"]
            full["rows_per_cpu_second"] = full["rows"] / full["cpu_seconds"]
            results[case] = full
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for case, full in results.items():
        print(
            f"{case}: {full['rows']:,.0f} rows in {full['seconds']:.1f} s (CPU "
            f"{full['cpu_seconds']:.1f} s), {full['rows_per_cpu_second']:,.0f} rows a CPU second; "
            f"peak {full['peak_mb']:.0f} MB, {full['bytes_per_row']:,.0f} bytes a row above the "
            f"{full['base_mb']:.0f} MB of one row; {full['own_bytes_per_row']:,.0f} without pages "
            "of mapped files"
        )


if __name__ == "__main__":
    main()
