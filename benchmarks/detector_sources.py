"""The detector on a source that it was not trained on: `python benchmarks/detector_sources.py`.

Each source in turn is left out of the training (`terraseek corpus detector` with the others), and
then measured: the share of its images that the detector takes for overhead imagery (recall), beside
that of held-out images of the sources it was trained on, and of ground photographs and graphics.
"""

import json
import tempfile
from pathlib import Path

import typer

from terraseek.catalogue.importing.readers.registry import open_source
from terraseek.catalogue.records import Record
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek_train.corpus.detector.features import measure_images
from terraseek_train.corpus.detector.model import load_detector
from terraseek_train.corpus.detector.train import DetectorConfig, train_detector
from terraseek_train.corpus.items import read_pixels
from terraseek_train.corpus.vectors import encoder_of


def main(
    overhead: list[str] = typer.Option(..., "--overhead", help="A source; at least two."),
    images: int = typer.Option(100, help="Images of each source."),
    model: str = typer.Option(DEFAULT_MODEL, help="Registered encoder."),
) -> None:
    """Train without each source, and measure on it."""
    encoder = encoder_of(model)
    results = {}
    for left_out in overhead:
        others = tuple(source for source in overhead if source != left_out)
        records = [r for r in open_source(Path(left_out)).read() if isinstance(r, Record)]
        pixels = [read_pixels(record.image, 320) for record in records[:images]]
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "detector.npz"
            config = DetectorConfig(str(out), others, images=images * len(others), model=model)
            facts = train_detector(config)
            detector = load_detector(out, encoder.encoder_id)
        called = detector.probability(measure_images(pixels, encoder)) >= 0.5
        results[Path(left_out).name] = {
            "recall": f"{int(called.sum())} of {len(called)}",
            "trained on the others": facts["test"]["called"],
        }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    typer.run(main)
