"""Input pipeline compared with plain decoding: `python benchmarks/pipeline.py [--json]`.

The images (generated, or `--images TAR|DIR`) are decoded with the pipeline's decoder and number of
threads; then the same images are read as batches: from webdataset shards, decoded, augmented, with
one of their captions. Both alternate, and the ratio is that of the medians; on a busy machine the
ratio of CPU times is more stable. Batches of images decoded into memory beforehand are timed too.
"""

import io
import logging
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import typer
from common import peak_rss_gib, report, timed
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.data.corpus import build_corpus
from terraseek_train.data.sources import open_images
from terraseek_train.data.sources.images import decode
from terraseek_train.data.stream import decode_fast
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.train import training_batches

ARCH = {
    "embed_dim": 64,
    "vision_cfg": {"timm_model_name": "regnetx_004", "timm_pool": "avg", "image_size": 128},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}


def generate_images(count: int, side: int, kind: str) -> list[bytes]:
    """Encoded images with detail at every scale, so that decoding takes a typical time."""
    rng = np.random.default_rng(0)
    out = []
    for _ in range(count):
        pixels = np.full((side, side, 3), 110.0)
        for cells in (4, 16, 64, side):
            noise = rng.normal(0, 40 * cells**-0.35, (cells, cells, 3))
            pixels += cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
        buffer = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, kind, quality=85)
        out.append(buffer.getvalue())
    return out


def write_shards(folder: Path, images_bytes: list[bytes], per_shard: int = 500) -> None:
    """Write shards in RS5M's layout: `.img_content`, `.img_name`, `.caption`."""
    for start in range(0, len(images_bytes), per_shard):
        with tarfile.open(folder / f"made-train-{start // per_shard:04}.tar", "w") as archive:
            for row in range(start, min(start + per_shard, len(images_bytes))):
                for name, content in (
                    (f"{row:06}.caption", f"image number {row} seen from above".encode()),
                    (f"{row:06}.img_content", images_bytes[row]),
                    (f"{row:06}.img_name", f"{row:06}.jpg".encode()),
                ):
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))


def import_generated(folder: Path, items: int, width: int) -> Catalogue:
    """Import generated images, each repeated as needed, from shards in `folder/shards`."""
    (folder / "shards").mkdir()
    images = generate_images(min(items, 200), width, "JPEG")
    write_shards(folder / "shards", [images[i % len(images)] for i in range(items)])
    import_source(folder / "shards", folder / "cat", kind="shards", check=False)
    return Catalogue.open(folder / "cat")


def compare(
    images_bytes: list[bytes], folder: Path, workers: int, repeats: int, batch: int
) -> Iterator[tuple[str, float]]:
    """Compare the rates for one set of images."""
    write_shards(folder, images_bytes)
    lines = [f"{row:06}.jpg,image number {row} from above" for row in range(len(images_bytes))]
    (folder / "captions.csv").write_text("\n".join(["filename,title", *lines]))

    steps = max(1, len(images_bytes) // batch)

    def once(stream: bool) -> Callable[[], object]:
        """All images as batches, prepared within the call."""
        config = TrainConfig(
            out=str(folder / "run"),
            cache=str(folder / "cache"),
            data=(DataSource("made", str(folder), str(folder / "captions.csv"), stream=stream),),
            arch=ARCH,
            steps=steps,
            batch=batch,
            sizes=((0.0, 128),),
            workers=workers,
        )
        corpus = build_corpus(config)
        return lambda: deque(training_batches(corpus, config, 0, ProcessGroup()), maxlen=0)

    def decode_all(with_opencv: bool) -> None:
        with ThreadPoolExecutor(workers) as pool:
            read = decode_fast if with_opencv else decode
            for _ in pool.map(lambda content: read(content, "x"), images_bytes, chunksize=16):
                pass

    streaming, from_memory = once(True), once(False)
    rates: dict[str, list[float]] = {"decode": [], "pillow": [], "pipeline": [], "memory": []}
    per_cpu: dict[str, list[float]] = {name: [] for name in rates}
    for _ in range(repeats):
        for name, call, count in (
            ("decode", lambda: decode_all(True), len(images_bytes)),
            ("pipeline", streaming, steps * batch),
            ("pillow", lambda: decode_all(False), len(images_bytes)),
            ("memory", from_memory, steps * batch),
        ):
            busy = time.process_time()
            rates[name].append(count / timed(call, 1, 0).median)
            per_cpu[name].append(count / (time.process_time() - busy))
    found = {name: float(np.median(values)) for name, values in rates.items()}
    yield "decode_images_s", found["decode"]
    yield "pipeline_images_s", found["pipeline"]
    yield "efficiency", found["pipeline"] / found["decode"]
    spent = {name: float(np.median(values)) for name, values in per_cpu.items()}
    yield "efficiency_by_cpu_time", spent["pipeline"] / spent["decode"]
    yield "pillow_decode_images_s", found["pillow"]
    yield "efficiency_beside_pillow", found["pipeline"] / found["pillow"]
    yield "memory_images_s", found["memory"]


def main(
    images: Path | None = typer.Option(None, help="Tar or folder; otherwise generated."),
    count: int = typer.Option(1000, help="Number of images."),
    side: int = typer.Option(256, help="Side of generated images in pixels."),
    workers: int = typer.Option(2, help="Threads of both."),
    repeats: int = typer.Option(5),
    batch: int = typer.Option(64),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Measure and print."""
    logging.disable(logging.WARNING)
    cv2.setNumThreads(1)
    figures: dict[str, float | int | str] = {"workers": workers, "images": count}
    sets: dict[str, list[bytes]] = {}
    if images is not None:
        found = open_images(images)
        sets[""] = [found.read(name) for name in islice(found, count)]
    else:
        sets = {
            "jpeg_": generate_images(count, side, "JPEG"),
            "webp_": generate_images(count, side, "WEBP"),
        }
    for prefix, images_bytes in sets.items():
        figures[f"{prefix}kilobytes"] = float(np.mean([len(p) for p in images_bytes])) / 1000
        with tempfile.TemporaryDirectory() as folder:
            for name, value in compare(images_bytes, Path(folder), workers, repeats, batch):
                figures[prefix + name] = value
    figures["peak_rss_gib"] = peak_rss_gib()
    report("input pipeline", figures, as_json)


if __name__ == "__main__":
    typer.run(main)
