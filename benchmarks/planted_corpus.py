"""Recall and precision of every corpus stage: `python benchmarks/planted_corpus.py DATA OUT`.

A sample of real sources is written with planted faults, each at least 5 % of the sample: copies
(exact, recompressed, turned), images of another source repeated, ground photographs, graphics,
broken files, wrong geotags, and images of an evaluation set. The recipe then runs, and each stage
is compared with what was planted for it. DATA is a folder with `harvey`, `rsicd`, `rsscn7` and
`rs5m` as described in docs/corpus.md; everything is seeded.
"""

import io
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import typer
from common import machine
from PIL import Image, ImageEnhance

from terraseek.catalogue.images import decode_image, read_bytes
from terraseek.catalogue.importing.readers.registry import open_source
from terraseek.catalogue.records import Record
from terraseek.parallel.local import LocalEngine
from terraseek_train.corpus.detector.graphics import draw_graphic
from terraseek_train.corpus.detector.ground import photographs, random_crop
from terraseek_train.corpus.detector.train import DetectorConfig, train_detector
from terraseek_train.corpus.output.finish import finish_corpus
from terraseek_train.corpus.recipe import load_recipe
from terraseek_train.corpus.run import run_recipe
from terraseek_train.corpus.status import read_status, status_lines

SHARE = 0.06
"""Share of the sample that each kind of fault adds."""
SPARE = 100
"""Images of each source that are not in the sample, for the detector."""
HELD_OUT = 100
"""Images of the evaluation set; they are planted in the sample, recompressed."""


def to_jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    """Encode RGB pixels."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def recompressed(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    """The same image at a lower quality, a little brighter or darker and smaller."""
    image = Image.fromarray(pixels)
    image = ImageEnhance.Brightness(image).enhance(float(rng.uniform(0.85, 1.15)))
    side = max(64, int(min(image.size) * rng.uniform(0.7, 1.0)))
    return to_jpeg(np.asarray(image.resize((side, side))), int(rng.integers(40, 80)))


def turned(pixels: np.ndarray, rng: np.random.Generator) -> bytes:
    """The image rotated by 90, 180 or 270 degrees, recompressed."""
    return to_jpeg(np.ascontiguousarray(np.rot90(pixels, int(rng.integers(1, 4)))), 75)


def broken(data: bytes, rng: np.random.Generator) -> bytes:
    """Truncated, overwritten, empty, or no image at all."""
    kind = int(rng.integers(4))
    if kind == 0:
        return data[: int(len(data) * rng.uniform(0.2, 0.8))]
    if kind == 1:
        return b"\0" * 64 + data[64:]
    return b"" if kind == 2 else b"<!doctype html><title>404</title>"


class Sample:
    """Images, captions and positions of a sample, with the fault of each planted item."""

    def __init__(self, out: Path, seed: int) -> None:
        self.out, self.rng = out, np.random.default_rng(seed)
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.faults: dict[str, str] = {}
        self.copies: dict[str, str] = {}
        self.clean: list[tuple[str, bytes]] = []

    def add(
        self, source: str, name: str, data: bytes, caption: str, fault: str = "", **more: object
    ) -> str:
        """Write an image; returns its id in the corpus."""
        folder = self.out / source / "images"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        self.rows[source].append({"filename": name, "caption": caption, **more})
        item = f"{source}/{name}"
        if fault:
            self.faults[item] = fault
        return item

    def write_tables(self) -> None:
        """One CSV per source, beside its images."""
        for source, rows in self.rows.items():
            pd.DataFrame(rows).to_csv(self.out / source / "items.csv", index=False)


def records(
    path: Path, count: int, seed: int, others: Path, images: Path | None = None
) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """A random sample of a source: name, encoded image and columns.

    Further images, as many as `SPARE`, are written to `others`: the detector trains on them.
    """
    found = [
        r for r in open_source(path, images=images).read() if isinstance(r, Record) and r.image
    ]
    order = np.random.default_rng(seed).permutation(len(found))[: count + SPARE]
    others.mkdir(parents=True, exist_ok=True)
    for row in order[count:]:
        ref = found[row].image
        if ref is not None:
            (others / f"{row}{Path(found[row].key).suffix}").write_bytes(read_bytes(ref))
    for row in order[:count]:
        record = found[row]
        assert record.image is not None
        yield Path(record.key).name, read_bytes(record.image), record.columns


def build(data: Path, out: Path, per_source: int, seed: int) -> Sample:
    """Write the sample: three sources of real images, then the faults."""
    sample = Sample(out, seed)
    table = pd.read_csv(next((data / "harvey").glob("*coord.csv"))).set_index("img_name")
    metadata_captions = pd.read_csv(data / "rs5m" / "rs3_dump.csv")["caption"].tolist()
    for name, image, columns in records(
        data / "harvey", per_source, seed, out / "spare" / "harvey"
    ):
        place = table.loc[name].to_dict() if name in table.index else {}
        known = {k: place.get(k, "") for k in ("country", "month", "latitude", "longitude", "utm")}
        sample.add("harvey", name, image, str(columns.get("caption", "")), **known)
        sample.clean.append((f"harvey/{name}", image))
    for name, image, columns in records(
        data / "rsscn7" / "RSSCN7.tar", per_source, seed, out / "spare" / "rsscn7"
    ):
        caption = str(metadata_captions[len(sample.clean) % len(metadata_captions)])
        sample.add("rsscn7", name, image, caption, label=str(columns.get("label", "")))
        sample.clean.append((f"rsscn7/{name}", image))
    captions = data / "rsicd" / "dataset_rsicd.json"
    images = data / "rsicd" / "RSICD_images.tar"
    for name, image, columns in records(
        captions, per_source + HELD_OUT, seed, out / "spare" / "rsicd", images
    ):
        if len(list((out / "held-out").glob("*"))) < HELD_OUT:
            (out / "held-out").mkdir(parents=True, exist_ok=True)
            (out / "held-out" / name).write_bytes(image)
            pixels = decode_image(image, name)
            sample.add("rsicd", f"leak_{Path(name).stem}.jpg", recompressed(pixels, sample.rng),
                       str(columns.get("caption", "")), "leak")  # fmt: skip
            continue
        sample.add("rsicd", name, image, str(columns.get("caption", "")))
        sample.clean.append((f"rsicd/{name}", image))
    plant(sample, int(len(sample.clean) * SHARE))
    sample.write_tables()
    return sample


def plant(sample: Sample, count: int) -> None:
    """Add `count` items of each kind of fault."""
    rng = sample.rng
    chosen = iter(rng.permutation(len(sample.clean)).tolist())
    kinds: dict[str, Callable[[bytes, np.ndarray], bytes]] = {
        "exact copy": lambda data, pixels: data,
        "recompressed": lambda data, pixels: recompressed(pixels, rng),
        "turned": lambda data, pixels: turned(pixels, rng),
        "broken": lambda data, pixels: broken(data, rng),
    }
    for kind, make in kinds.items():
        for n in range(count):
            item, data = sample.clean[next(chosen)]
            # copies go to another source than the original: an overlap of sources
            source = "rsscn7" if item.startswith("rsicd") else "rsicd"
            made = make(data, decode_image(data, item))
            planted = sample.add(source, f"p{kind[0]}{n}.jpg", made, "aerial view of land", kind)
            if kind != "broken":
                sample.copies[planted] = item
    photos = list(photographs(()).values())
    held = photos[::3]  # the detector trains on the others
    for n in range(count):
        photo = random_crop(rng, held[n % len(held)])
        sample.add("rsscn7", f"photo{n}.jpg", to_jpeg(photo), "aerial view", "ground photograph")
        graphic = draw_graphic(np.random.default_rng([77, n]))
        sample.add("rsicd", f"graphic{n}.jpg", to_jpeg(graphic), "satellite map", "graphic")
    for row in rng.permutation(len(sample.rows["harvey"]))[: max(count, 1)].tolist():
        entry = sample.rows["harvey"][row]
        change = int(rng.integers(3))
        if change == 0:
            entry["latitude"], entry["longitude"] = 0.0, 0.0
        elif change == 1:
            entry["latitude"], entry["longitude"] = -entry["latitude"], entry["longitude"]
        else:
            entry["longitude"] = entry["longitude"] + float(rng.uniform(15, 60))
        sample.faults[f"harvey/{entry['filename']}"] = "wrong geotag"


def write_recipe(out: Path, model: str) -> Path:
    """Recipe of the experiment."""
    sources = [
        {"name": name, "path": str(out / name / "items.csv"), "images": str(out / name / "images"),
         "kind": "table", "rank": rank}
        for name, rank in (("harvey", 0), ("rsicd", 1), ("rsscn7", 2))
    ]  # fmt: skip
    stages: list[dict[str, Any]] = [
        {"stage": "broken"},
        {"stage": "duplicates", "name": "sha256", "by": "sha256"},
        {"stage": "duplicates", "name": "phash", "by": "phash"},
        {"stage": "embed", "model": model},
        {"stage": "duplicates", "name": "embedding", "by": "embedding", "model": model},
        {"stage": "outliers", "model": model, "detector": str(out / "detector.npz"),
         "keep_s": 100, "min_c": 0.5},
        {"stage": "geo"},
        {"stage": "label_captions"},
        {"stage": "similarity", "model": model},
        {"stage": "leakage", "evaluation": [str(out / "held-out")]},
    ]  # fmt: skip
    value = {
        "version": 1, "name": "planted", "out": str(out / "corpus"), "shard_rows": 500,
        "sources": sources, "stages": stages,
    }  # fmt: skip
    path = out / "recipe.json"
    path.write_text(json.dumps(value, indent=1))
    return path


FOUND_BY = {
    "broken": ("broken",),
    "exact copy": ("sha256", "phash", "embedding"),
    "recompressed": ("phash", "embedding"),
    "turned": ("phash", "embedding"),
    "ground photograph": ("outliers",),
    "graphic": ("outliers",),
    "leak": ("leakage",),
}
"""Stages that should reject each kind."""


def measure(sample: Sample, corpus: Path) -> dict[str, Any]:
    """Recall by kind, and precision by stage.

    A pair of copies has two members, either of which may survive. A fault that another stage has
    rejected before counts as missed.
    """
    rejected: dict[str, dict[str, str]] = {}
    for folder in sorted((corpus / "stages").iterdir()):
        rows = pd.concat(pd.read_parquet(f) for f in sorted((folder / "rejected").glob("*")))
        rejected[folder.name[3:]] = dict(zip(rows["item"], rows["reason"], strict=True))
    by_item = {item: stage for stage, items in rejected.items() for item in items}
    members = {kept: item for item, kept in sample.copies.items()}
    found: dict[str, Any] = {"recall": {}, "precision": {}, "wrong": {}}
    for kind, stages in FOUND_BY.items():
        items = [item for item, fault in sample.faults.items() if fault == kind]
        hits = [
            i for i in items if {by_item.get(i), by_item.get(sample.copies.get(i, ""))} & {*stages}
        ]
        found["recall"][kind] = f"{len(hits)} of {len(items)}"
    for stage, reasons in rejected.items():
        right = [
            item
            for item in reasons
            if stage in FOUND_BY.get(sample.faults.get(item, ""), ())
            or stage in FOUND_BY.get(sample.faults.get(members.get(item, ""), ""), ())
        ]
        found["precision"][stage] = f"{len(right)} of {len(reasons)}"
        wrong = [f"{i}: {reasons[i]}" for i in reasons if i not in right]
        found["wrong"][stage] = wrong[:20]
    return found | {"geotags": geotags(sample, corpus)}


def geotags(sample: Sample, corpus: Path) -> dict[str, str]:
    """Recall and precision of the check of positions, among items that reached it."""
    [folder] = (corpus / "stages").glob("*-geo")
    rows = pd.concat(pd.read_parquet(f) for f in sorted((folder / "accepted").glob("*")))
    marked = set(rows["item"][rows["geo_problem"] != ""])
    there = {i for i, f in sample.faults.items() if f == "wrong geotag"} & set(rows["item"])
    return {
        "recall": f"{len(marked & there)} of {len(there)}",
        "precision": f"{len(marked & there)} of {len(marked)}",
    }


def main(
    data: Path = typer.Argument(..., help="Folder of the real data."),
    out: Path = typer.Argument(..., help="Folder for sample and corpus."),
    per_source: int = typer.Option(500, help="Images of each source."),
    model: str = typer.Option("terraseek-tiny", help="Registered encoder."),
    workers: int = typer.Option(2, help="Worker processes."),
    seed: int = typer.Option(0, help="Seed of sample and faults."),
    more_ground: list[str] = typer.Option(
        [], "--ground", help="Further folders of ground photographs for the detector."
    ),
) -> None:
    """Build the sample, train the detector, run the recipe, and measure."""
    out.mkdir(parents=True, exist_ok=True)
    sample = build(data, out, per_source, seed)
    names = list(photographs(()))
    ground = out / "ground"
    ground.mkdir(exist_ok=True)
    for name in names[1::3] + names[2::3]:
        (ground / Path(name).name).write_bytes(Path(name).read_bytes())
    config = DetectorConfig(
        str(out / "detector.npz"),
        tuple(str(out / "spare" / name) for name in ("harvey", "rsicd", "rsscn7")),
        (str(ground), *more_ground),
        images=3 * SPARE,
        model=model,
        shipped=False,
    )
    facts = train_detector(config)
    started = time.perf_counter()
    recipe = load_recipe(write_recipe(out, model))
    with LocalEngine(workers) as engine:
        shards = run_recipe(recipe, engine)
    seconds = time.perf_counter() - started
    splits = finish_corpus(recipe, shards)
    stages = read_status(out / "corpus")
    print(machine())
    print("\n".join(status_lines(stages)))
    result = measure(sample, out / "corpus")
    result |= {"detector": facts["test"], "seconds": round(seconds, 1), "splits": splits}
    result["items_per_s"] = round(stages[0]["in"] / seconds, 1)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    typer.run(main)
