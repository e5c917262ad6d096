"""Run a batch: encode each scene once, ask all of its sentences, and write what was found."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from terraseek.encoders.base import Encoder
from terraseek.errors import Cancelled, ConfigError, OutputError, SceneError, TerraSeekError
from terraseek.files import atomic_path
from terraseek.localization.batch.contact_sheet import write_contact_sheet
from terraseek.localization.batch.report import write_report
from terraseek.localization.batch.results import Journal, RowResult, ranked, write_tables
from terraseek.localization.batch.table import BatchRow
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.localizer import Localizer
from terraseek.localization.options import LocalizeOptions
from terraseek.localization.output.cog import write_cog
from terraseek.localization.output.figure.map_image import SceneImage, draw_map
from terraseek.localization.output.geojson import write_regions
from terraseek.localization.output.regions import lowest_score, regions
from terraseek.localization.query import encode_minus, encode_query
from terraseek.parameters import write_parameters
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene

__all__ = ["localize_batch"]

_DEFAULTS = LocalizeOptions()
_THUMBNAIL_SIDE = 480
"""Longest side in pixels of the image of a row."""
_TOTAL = 1000
"""Steps of the progress; a scene is done in parts, so rows alone would be too coarse."""
_ENCODING_SHARE = 0.9
"""Part of the work on a scene that is encoding its windows."""


def localize_batch(
    rows: Sequence[BatchRow],
    scenes: Path | Mapping[str, Path],
    encoder: Encoder,
    out: Path,
    options: LocalizeOptions = _DEFAULTS,
    threshold: float | None = None,
    percentile: float | None = None,
    progress: Progress = silent,
    cache: bool = True,
    stretch: bool = False,
) -> list[RowResult]:
    """Localize sentences in scenes, and write tables, heat maps, contact sheet and report.

    `out` then holds `results.csv`, `results.parquet`, `report.html`, `contact_sheet.png`, a COG and
    a GeoJSON of each row, and `rows.jsonl`, from which another run with the same `out` resumes:
    rows that are done are not run again, unless scene, options or model have changed. A row that
    fails has a reason and does not stop the others. Each scene is encoded once.

    Args:
        rows: see `read_batch`.
        scenes: folder to which the names of scenes are relative, or the file of each name.
        encoder: the model.
        out: folder of the results; it is created.
        options: method, window sides, sentences to subtract.
        threshold: see `regions`.
        percentile: see `regions`.
        progress: called with one stage for the whole batch; it may raise `Cancelled`.
        cache: whether window vectors are read from and written to `home()/scenes`.
        stretch: see `HeatMap.colour_scale`.

    Returns:
        One result per row, see `ranked`.

    Raises:
        ConfigError: threshold and percentile are both given.
        OutputError: the disk is full or the folder cannot be written to.
        Cancelled: raised by `progress`; finished rows are kept.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        batch = _Batch(
            scenes, encoder, out, options, threshold, percentile, cache, stretch,
            Journal(out / "rows.jsonl"),
        )  # fmt: skip
        results = ranked(_run_all(batch, rows, progress))
        write_tables(out, results)
        write_contact_sheet(out / "contact_sheet.png", results)
        write_report(out / "report.html", results, batch.settings)
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written to ({error}); free some disk space or choose another folder"
        ) from error
    return results


@dataclass(frozen=True, eq=False)
class _Batch:
    """What all rows have in common."""

    scenes: Path | Mapping[str, Path]
    encoder: Encoder
    out: Path
    options: LocalizeOptions
    threshold: float | None
    percentile: float | None
    cache: bool
    stretch: bool
    journal: Journal

    @property
    def settings(self) -> dict[str, object]:
        """Model, options and threshold, for the report and the keys of rows."""
        limits: dict[str, object] = {"threshold": self.threshold, "percentile": self.percentile}
        limits |= {"stretch": True} if self.stretch else {}
        return {
            "model": self.encoder.encoder_id,
            "options": write_parameters(self.options),
            **{name: value for name, value in limits.items() if value is not None},
        }

    def scene_path(self, name: str) -> Path | None:
        """File of a scene; None where there is none."""
        path = self.scenes / name if isinstance(self.scenes, Path) else self.scenes.get(name)
        return path if path is not None and path.is_file() else None

    def key(self, row: BatchRow, path: Path | None) -> str:
        """Hash of all that a row's result depends on; the file by its size and time."""
        state = None if path is None else (path.stat().st_size, path.stat().st_mtime_ns)
        text = json.dumps([row.scene, row.text, state, self.settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _run_all(batch: _Batch, rows: Sequence[BatchRow], progress: Progress) -> list[RowResult]:
    paths = {name: batch.scene_path(name) for name in dict.fromkeys(row.scene for row in rows)}
    keys = {row: batch.key(row, paths[row.scene]) for row in rows}
    results = [found for row in rows if (found := batch.journal.finished(keys[row])) is not None]
    waiting = [row for row in rows if batch.journal.finished(keys[row]) is None]
    stage = f"batch of {len(rows):,} rows"
    for name, path in paths.items():
        pending = {keys[row]: row for row in waiting if row.scene == name}
        if not pending:
            continue
        finished, share = len(results), len(pending)

        def report(part: float, finished: int = finished, share: int = share) -> None:
            progress(stage, round(_TOTAL * (finished + part * share) / len(rows)), _TOTAL)

        report(0.0)
        results += _run_scene(batch, pending, path, report)
    progress(stage, _TOTAL, _TOTAL)
    return results


def _run_scene(
    batch: _Batch,
    pending: Mapping[str, BatchRow],
    path: Path | None,
    report: Callable[[float], None],
) -> list[RowResult]:
    """Results of all sentences in one scene, each in the journal as soon as it is there.

    Args:
        batch: what all rows have in common.
        pending: rows by key.
        path: file of the scene; None where there is none.
        report: called with the part (0-1) that is done.
    """
    results: list[RowResult] = []

    def add(result: RowResult) -> None:
        batch.journal.add(result)
        results.append(result)

    def encoding(stage: str, done: int, total: int) -> None:
        report(_ENCODING_SHARE * done / total if total else 0.0)

    try:
        if path is None:
            raise ConfigError("there is no such scene; write its name as in the folder of scenes")
        with _open(path) as scene:
            localizer = Localizer(scene, batch.encoder, batch.options, encoding, batch.cache)
            _ = localizer.embedding  # a scene that cannot be encoded fails once, not per sentence
            image = scene.preview(_THUMBNAIL_SIDE)
            for number, (key, row) in enumerate(pending.items(), 1):
                add(_run_row(batch, key, row, localizer, image))
                report(_ENCODING_SHARE + (1 - _ENCODING_SHARE) * number / len(pending))
    except (Cancelled, OutputError):
        raise
    except TerraSeekError as error:
        for key, row in list(pending.items())[len(results) :]:
            add(_failed(key, row, str(error)))
    return results


def _open(path: Path) -> Scene:
    """Open a scene; one that the system does not let us read is an error of the scene."""
    try:
        return Scene.open(path)
    except OSError as error:
        raise SceneError(f"{path.name} cannot be read ({error.strerror or error})") from error


def _run_row(
    batch: _Batch, key: str, row: BatchRow, localizer: Localizer, image: SceneImage
) -> RowResult:
    try:
        query = encode_query(row.text, batch.encoder, batch.options)
        heat = localizer.heat_map(query, encode_minus(batch.encoder, batch.options))
        return _write_row(batch, key, row, heat, image)
    except (Cancelled, OutputError):
        raise
    except TerraSeekError as error:
        return _failed(key, row, str(error))


def _failed(key: str, row: BatchRow, reason: str) -> RowResult:
    return RowResult(row.scene, row.text, "failed", key, reason=reason)


def _write_row(
    batch: _Batch, key: str, row: BatchRow, heat: HeatMap, image: SceneImage
) -> RowResult:
    """Write the files of a row."""
    limits = batch.threshold, batch.percentile
    found = regions(heat, *limits)
    stem = f"{_slug(Path(row.scene).stem, 30)}-{_slug(row.text, 40)}-{key[:8]}"
    files = [f"{folder}/{stem}{suffix}" for folder, suffix in (
        ("heat_maps", ".tif"), ("regions", ".geojson"), ("thumbnails", ".jpg"),
    )]  # fmt: skip
    write_cog(heat, batch.out / files[0], False, *limits)
    write_regions(heat, batch.out / files[1], *limits)
    height, width = image[1].shape
    with atomic_path(batch.out / files[2]) as part:
        drawn = draw_map(heat, found, (height, width), image, batch.stretch)
        Image.fromarray(drawn).save(part, "JPEG")
    areas = [region.area_m2 for region in found]
    known = [area for area in areas if area is not None]
    likely_m2 = sum(
        region.area_m2 or 0.0 for region in found if heat.level_at(region.peak.score) == "likely"
    )
    located = heat.georef.located
    area_m2 = round(sum(known), 2) if located else None
    peak = heat.peak
    return RowResult(
        scene=row.scene, sentence=row.text, status="done", key=key,
        significance=heat.significance, probability=heat.probability,
        best_score=round(peak.score, 6), lon=peak.lon, lat=peak.lat, col=peak.col, row=peak.row,
        threshold=round(lowest_score(heat, *limits), 6), regions=len(found),
        region_area_m2=area_m2,
        likely_area_m2=round(likely_m2, 2) if located else None,
        region_area_px=round(sum(region.area_px for region in found), 1), windows=heat.n_windows,
        heat_map=files[0], region_file=files[1], thumbnail=files[2],
    )  # fmt: skip


def _slug(text: str, length: int) -> str:
    """Letters and digits of a text for a file name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:length].strip("-") or "x"
