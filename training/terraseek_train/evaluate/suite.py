"""All published benchmarks whose files are there, measured one after the other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from terraseek.encoders.base import Encoder
from terraseek.errors import ConfigError
from terraseek.localization import LocalizeOptions
from terraseek.progress import Progress, silent
from terraseek_benchmarks import Benchmark, benchmark, benchmarks
from terraseek_train.evaluate.bootstrap import UnitSums, intervals
from terraseek_train.evaluate.localization.measure import (
    headline,
    measure_localization,
    read_annotations,
    unit_sums,
)
from terraseek_train.evaluate.report import rounded
from terraseek_train.evaluate.run import encode_labelled, measure_retrieval

__all__ = ["Measured", "find_files", "measure_suite"]


@dataclass(frozen=True)
class Measured:
    """One benchmark: its figure, or why there is none."""

    name: str
    """Name of the benchmark."""
    measure: str
    """`top1`, `mR` or `Rmi`."""
    value: float | None = None
    """The figure by the published rule; None if the set is not there."""
    interval: list[float] | None = None
    """95 % bootstrap interval."""
    described: float | None = None
    """Top-1 with hand-written class names, where the benchmark has some."""
    n_images: int = 0
    """Number of images measured."""
    complete: bool = False
    """Whether these are all images of the published set."""
    missing: str = ""
    """Files that were looked for."""

    def to_json(self) -> dict[str, Any]:
        """JSON values, with the published figures."""
        return asdict(self) | {"published": dict(benchmark(self.name).published)}


def find_files(bench: Benchmark, root: Path) -> tuple[Path, Path | None] | None:
    """Images and annotations of a benchmark below a folder; None if any of them is not there."""
    images = next((root / place for place in bench.images if (root / place).exists()), None)
    found = next((root / place for place in bench.annotations if (root / place).exists()), None)
    if images is None or (bench.annotations and found is None):
        return None
    return images, found


def measure_suite(
    root: Path, encoder: Encoder, names: Sequence[str] = (), progress: Progress = silent
) -> list[Measured]:
    """Measure the benchmarks below a folder.

    Args:
        root: folder of all sets, in GeoRSCLIP's layout or that of the sets' archives.
        encoder: the encoder to measure.
        names: benchmarks to measure; all if empty.
        progress: called while images are encoded.

    Raises:
        ConfigError: a name is unknown, or none of the sets is there.
        AnnotationError: a set does not have the published classes, or its annotations are broken.
    """
    chosen = [benchmark(name) for name in names] or list(benchmarks().values())
    measured = [_measure(bench, root, encoder, progress) for bench in chosen]
    if all(one.value is None for one in measured):
        expected = "; ".join(f"{one.name}: {one.missing}" for one in measured)
        raise ConfigError(f"{root} contains none of the benchmarks; expected {expected}")
    return measured


def _measure(bench: Benchmark, root: Path, encoder: Encoder, progress: Progress) -> Measured:
    files = find_files(bench, root)
    if files is None:
        places = [" or ".join(bench.images)]
        places += [" or ".join(bench.annotations)] if bench.annotations else []
        return Measured(bench.name, _MEASURES[bench.task], missing=" with ".join(places))
    images, annotations = files
    if bench.task == "zeroshot":
        return _zeroshot(bench, images, encoder, progress)
    assert annotations is not None
    if bench.task == "retrieval":
        return _retrieval(bench, images, annotations, encoder, progress)
    options = LocalizeOptions(method="selo-v1")
    scores = measure_localization(read_annotations(annotations), images, encoder, options, progress)
    value = float(headline([score.selo for score in scores])["Rmi"])
    n_images = len({score.annotation.image for score in scores})
    return _measured(bench, value, unit_sums(scores)[0], n_images)


_MEASURES = {"zeroshot": "top1", "retrieval": "mR", "localization": "Rmi"}


def _zeroshot(bench: Benchmark, images: Path, encoder: Encoder, progress: Progress) -> Measured:
    labelled = encode_labelled(images, encoder, None, progress)
    if bench.classes and tuple(labelled.classes) != bench.classes:
        wrong = set(labelled.classes) ^ set(bench.classes)
        raise ConfigError(
            f"{images} has other classes than {bench.title}: {', '.join(sorted(wrong)[:5])}; keep "
            "the folders as published, or use `terraseek evaluate zeroshot`"
        )
    score = labelled.score(encoder, labelled.folder_names, bench.prompts)
    described = None
    if bench.described:
        described = labelled.score(encoder, list(bench.described), bench.prompts).top1
    return _measured(bench, score.top1, score.unit_sums(), score.n_images, described)


def _retrieval(
    bench: Benchmark, images: Path, captions: Path, encoder: Encoder, progress: Progress
) -> Measured:
    retrieved = measure_retrieval(images, captions, encoder, bench.split, progress)
    score = retrieved.score()
    return _measured(bench, score.mR, retrieved.unit_sums(), score.n_images)


def _measured(
    bench: Benchmark, value: float, sums: UnitSums, n_images: int, described: float | None = None
) -> Measured:
    measure = _MEASURES[bench.task]
    digits = 4 if bench.task == "localization" else 2
    return Measured(
        bench.name,
        measure,
        round(value, digits),
        rounded(intervals(sums)[measure], digits),
        described,
        n_images,
        complete=bool(np.equal(n_images, bench.n_images)),
    )
