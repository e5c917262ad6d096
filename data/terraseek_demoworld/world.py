"""Write the demo world to disk: chips, captions, scenes, and last the manifest."""

import csv
import io
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from terraseek.errors import ConfigError, SourceError
from terraseek.files import fsync_folder, write_json, write_text
from terraseek.progress import Progress, silent
from terraseek_demoworld.chips import CATEGORIES, category_of, chip_seed, make_chip

__all__ = ["VAL_EVERY", "VERSION", "DemoWorld", "build"]

VERSION = 1
"""Increased when the same seed gives other images than before."""
VAL_EVERY = 6
"""Every sixth chip is for validation, the others for training."""

_COLUMNS = (
    "filename", "caption", "caption_2", "caption_3", "caption_4", "caption_5", "label", "lat",
    "lon", "gsd_m", "captured_at", "place", "split", "polygons",
)  # fmt: skip
_CHIPS_PER_TASK = 25  # chips a worker draws between two progress reports
_JPEG_QUALITY = 92


@dataclass(frozen=True)
class DemoWorld:
    """A finished demo world on disk: its folder and contents."""

    path: Path
    seed: int
    chips: int
    scenes: tuple[str, ...]

    @property
    def items_csv(self) -> Path:
        """One row per chip."""
        return self.path / "items.csv"

    @property
    def captions_json(self) -> Path:
        """Captions and splits in RSICD's layout."""
        return self.path / "captions.json"

    @property
    def anno_json(self) -> Path:
        """Ground truth of the scenes, in the layout of semantic localization data sets."""
        return self.path / "scenes" / "anno.json"

    @classmethod
    def open(cls, path: Path) -> "DemoWorld":
        """Open the finished demo world at a path.

        Raises:
            SourceError: there is none, or its build was interrupted.
        """
        manifest = path / "demo.json"
        if not manifest.is_file():
            raise SourceError(f"no finished demo world at {path}; build it with `terraseek demo`")
        facts = json.loads(manifest.read_text(encoding="utf-8"))
        return cls(path, facts["seed"], facts["chips"], tuple(facts["scenes"]))


def build(
    out: Path,
    chips: int = 3000,
    seed: int = 0,
    workers: int = 2,
    progress: Progress = silent,
    scene_size: int = 4096,
) -> DemoWorld:
    """Draw and write the demo world; `out` appears only when it is complete.

    Args:
        out: folder to create; an earlier demo world there is replaced.
        chips: number of chips.
        seed: the same seed gives the same bytes on one platform.
        workers: processes; 1 uses the current process.
        progress: called with stages "chips" and "scenes".
        scene_size: pixels along the sides of the three scenes.

    Raises:
        ConfigError: a number is out of range, or `out` holds anything but a demo world.
    """
    if chips < 1 or workers < 1 or scene_size < 512:
        given = f"chips={chips}, workers={workers}, scene_size={scene_size}"
        raise ConfigError(f"chips and workers must be at least 1, scene_size at least 512: {given}")
    out = Path(out)
    if out.exists() and any(out.iterdir()) and not (out / "demo.json").is_file():
        raise ConfigError(f"{out} is not empty and no demo world; choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        part.chmod(0o755)  # mkdtemp makes folders private
        world = _write_world(part, chips, seed, workers, progress, scene_size)
        if out.exists():
            shutil.rmtree(out)
        os.replace(part, out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    fsync_folder(out.parent)
    return DemoWorld(out, world["seed"], world["chips"], tuple(world["scenes"]))


def _write_world(
    part: Path, chips: int, seed: int, workers: int, progress: Progress, scene_size: int
) -> dict[str, Any]:
    from terraseek_demoworld.scenes.render import SCENES, write_scene

    (part / "chips").mkdir()
    (part / "scenes").mkdir()
    chip_tasks = [
        (str(part), k, min(k + _CHIPS_PER_TASK, chips), seed)
        for k in range(0, chips, _CHIPS_PER_TASK)
    ]
    scene_tasks = [(str(part / "scenes"), name, seed, scene_size) for name in SCENES]
    rows: list[dict[str, str]] = []
    anno: list[dict[str, Any]] = []
    with _pool(workers) as pool:
        # scenes take longest: start them first so that no worker waits at the end
        scenes_done = pool.map(write_scene, scene_tasks)
        chips_done = pool.map(_write_chips, chip_tasks)
        for done, annotations in enumerate(scenes_done, 1):
            anno += annotations
            progress("scenes", done, len(scene_tasks))
        for new_rows in chips_done:
            rows += new_rows
            progress("chips", len(rows), chips)
    write_json(part / "scenes" / "anno.json", anno)
    write_text(part / "items.csv", _items_csv(rows))
    write_json(part / "captions.json", _captions_json(rows))
    manifest = {
        "kind": "terraseek demo world",
        "synthetic": True,
        "version": VERSION,
        "seed": seed,
        "chips": chips,
        "categories": list(CATEGORIES),
        "scenes": [f"{name}.tif" for name in SCENES],
        "scene_size": scene_size,
    }
    write_json(part / "demo.json", manifest)
    return manifest


class _SerialPool:
    """Stands in for a process pool and works in the current process."""

    @staticmethod
    def map(job: Any, tasks: list[Any]) -> Iterator[Any]:  # noqa: ANN401 - like Executor.map
        return map(job, tasks)


@contextmanager
def _pool(workers: int) -> Iterator["_SerialPool | ProcessPoolExecutor"]:
    if workers == 1:
        yield _SerialPool()
        return
    # forking a process that already runs threads (torch, GDAL) can hang
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _limit_threads)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ConfigError(
            "a drawing process ended at its start, as happens if the main program is not a file "
            "that can be imported (a notebook, stdin); build with workers=1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _limit_threads() -> None:
    import cv2

    cv2.setNumThreads(1)


def _write_chips(task: tuple[str, int, int, int]) -> list[dict[str, str]]:
    folder, start, stop, seed = task
    rows = []
    for index in range(start, stop):
        chip = make_chip(category_of(index), chip_seed(seed, index))
        name = f"{chip.category.replace(' ', '-')}_{index:05d}.jpg"
        Image.fromarray(np.asarray(chip.image)).save(
            Path(folder) / "chips" / name, quality=_JPEG_QUALITY
        )
        polygons = [{"name": p.name, "points": p.points} for p in chip.polygons]
        texts = dict(zip(_COLUMNS[1:6], chip.captions, strict=True))
        rows.append(
            {
                "filename": name, **texts, "label": chip.category, "lat": f"{chip.lat:.6f}",
                "lon": f"{chip.lon:.6f}", "gsd_m": f"{chip.gsd_m:g}",
                "captured_at": chip.captured_at, "place": chip.place,
                "split": "val" if index % VAL_EVERY == VAL_EVERY - 1 else "train",
                "polygons": json.dumps(polygons),
            }
        )  # fmt: skip
    return rows


def _items_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _captions_json(rows: list[dict[str, str]]) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    for imgid, row in enumerate(rows):
        texts = [row[column] for column in _COLUMNS[1:6]]
        sentences = [
            {"raw": raw, "tokens": raw.replace(" .", "").split(), "imgid": imgid,
             "sentid": imgid * len(texts) + k}
            for k, raw in enumerate(texts)
        ]  # fmt: skip
        images.append(
            {
                "imgid": imgid, "filename": row["filename"], "split": row["split"],
                "sentids": [s["sentid"] for s in sentences], "sentences": sentences,
            }
        )  # fmt: skip
    return {"dataset": "terraseek-demo-world", "images": images}
