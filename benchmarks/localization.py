"""Benchmark of localization: time of a query, speed of encoding a scene, peak memory.

    python benchmarks/localization.py [--json] [--small] [--only PART]...

Queries run on a scene of 10,000 x 10,000 pixels whose window vectors are random unit vectors, since
the time of a map does not depend on their values. `query_*` uses the published window sides (256,
512, 768) at half strides, more windows than the 4,283 of the published lattice; `default_*` uses
the default sides. The literal reference loops over the pixels of a 2,000 x 2,000 scene and is
scaled by the number of pixels, because the whole scene would take minutes. Memory is the peak of a
separate process that localizes a sparse GeoTIFF of 30,000 x 30,000 pixels, from reading to regions,
with an encoder that computes colours instead of a network. `--only` selects some of the parts
queries, reference, encode and memory. `--small` uses scenes of a tenth of the side: it checks that
everything runs, its figures are meaningless.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

import numpy as np
from common import peak_rss_gib, report, timed

from terraseek.encoders.base import Encoder
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.load import load_encoder
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.geo import lonlat_to_tile
from terraseek.localization import (
    HeatMap,
    LocalizeOptions,
    embed_scene,
    localize,
    regions,
    write_cog,
)
from terraseek.localization.localizer import Localizer
from terraseek.localization.methods.selo_filters import (
    median_filtered,
    median_filtered_cells,
    quantised,
)
from terraseek.localization.query import encode_query
from terraseek.localization.windows.embedding import SceneEmbedding
from terraseek.localization.windows.fields import mean_of_windows
from terraseek.localization.windows.lattice import (
    Lattice,
    half_stride_lattice,
    selo_v1_lattice,
)
from terraseek.scenes import Scene
from terraseek.tiles import heat_tile

PARTS = ("queries", "reference", "encode", "memory")
PUBLISHED = (256, 512, 768)
SENTENCE = "airplanes parked at an airport"
_METRES = 0.5
_ZOOM = 14
"""At 45 degrees north a tile of this zoom is 1.7 km wide, a third of the scene."""
_ENCODED_WINDOWS = 1024


def sparse_scene(path: Path, side: int) -> Path:
    """An RGB GeoTIFF in UTM of which only one tile is written; the others take no disk."""
    import rasterio
    from affine import Affine
    from rasterio.windows import Window

    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "width": side, "height": side}
    grid = {"crs": "EPSG:32633", "transform": Affine(_METRES, 0, 5e5, 0, -_METRES, 5e6)}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "SPARSE_OK": True}
    with rasterio.open(path, "w", **profile, **grid, **tiles, compress="deflate") as target:
        spot = np.zeros((3, 512, 512), np.uint8)
        spot[0], spot[1:] = 220, 40
        target.write(spot, window=Window(256, 256, 512, 512))
    return path


def random_embedding(lattice: Lattice, encoder: Encoder) -> SceneEmbedding:
    """Random unit vectors instead of those of an encoded scene."""
    rows = np.random.default_rng(0).normal(size=(len(lattice), encoder.dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    encoded = np.ones(len(lattice), bool)
    return SceneEmbedding(
        lattice,
        encoder.encoder_id,
        rows.astype(np.float16),
        encoded,
        valid=None,
        seconds=0.0,
        float32_vectors=rows,
    )


class EncodedScene:
    """A scene with encoded windows, ready for queries."""

    def __init__(self, scene: Scene, encoder: Encoder, options: LocalizeOptions) -> None:
        self.encoder, self.options = encoder, options
        self.localizer = Localizer(scene, encoder, options, cache=False)
        self.lattice = self.localizer.method.lattice(self.localizer.context)
        vars(self.localizer)["embedding"] = random_embedding(self.lattice, encoder)

    def heat_map(self) -> HeatMap:
        """From the sentence to its heat map."""
        return self.localizer.heat_map(encode_query(SENTENCE, self.encoder, self.options))

    def first_tile(self) -> bytes | None:
        """From the sentence to the first tile the browser needs, at the scene's centre."""
        heat = self.heat_map()
        bounds = heat.georef.bounds
        assert bounds is not None
        lon, lat = heat.georef.pixel_to_lonlat(heat.width / 2, heat.height / 2) or (0.0, 0.0)
        return heat_tile(heat, _ZOOM, *lonlat_to_tile(lon, lat, _ZOOM))

    def full_map(self) -> np.ndarray:
        """From the sentence to the full-resolution float32 map."""
        heat = self.heat_map()
        return heat.read_rows(0, heat.height)


def query_figures(scene: Scene, encoder: Encoder) -> dict[str, float | int]:
    """Seconds from the sentence to a tile and to the whole map."""
    found: dict[str, float | int] = {}
    for name, options in (
        ("query", LocalizeOptions(scales=PUBLISHED)),
        ("default", LocalizeOptions()),
    ):
        encoded = EncodedScene(scene, encoder, options)
        found[f"{name}_windows"] = len(encoded.lattice)
        found[f"{name}_first_tile_s"] = timed(encoded.first_tile, 9).median
        found[f"{name}_full_s"] = timed(encoded.full_map, 5).median
    encoded = EncodedScene(scene, encoder, LocalizeOptions(method="selo-v1"))
    found["selo_v1_windows"] = len(encoded.lattice)
    found["selo_v1_full_s"] = timed(encoded.full_map, 3).median
    return found


def reference_figures(scene: Scene, small: bool) -> dict[str, float | int]:
    """Time of the published map stage and of ours: window mean of every pixel, then the filter."""
    lattice = selo_v1_lattice(scene.width, scene.height, PUBLISHED)
    scores = np.random.default_rng(0).uniform(-1, 1, len(lattice)).astype(np.float32)
    rows, cols = np.arange(scene.height) + 0.5, np.arange(scene.width) + 0.5
    ours = timed(lambda: mean_of_windows(lattice, scores).sample(rows, cols), 3).median
    side = 300 if small else 2000
    small_lattice = selo_v1_lattice(side, side, PUBLISHED)
    scale = scene.width * scene.height / side**2
    began = time.perf_counter()
    pixel_loop(small_lattice, scores[: len(small_lattice)])
    reference = (time.perf_counter() - began) * scale
    field = mean_of_windows(lattice, scores)
    cells = field.to_image(quantised(field.values), rows, cols)
    filtered = timed(lambda: median_filtered_cells(cells), 3, 0).median
    pixels = timed(lambda: median_filtered(cells.pixels()), 3, 0).median
    return {
        "map_s": ours,
        "reference_map_s": reference,
        "speedup_vs_reference": reference / ours,
        "filter_s": filtered,
        "filter_pixels_s": pixels,
        "filter_share": filtered / (filtered + ours),
    }


def pixel_loop(lattice: Lattice, scores: np.ndarray) -> np.ndarray:
    """The steps of the published code: sums by window, then one division per pixel in Python."""
    total = np.zeros((lattice.height, lattice.width))
    count = np.zeros((lattice.height, lattice.width))
    for (row0, col0, row1, col1), score in zip(lattice.windows.tolist(), scores, strict=True):
        total[row0:row1, col0:col1] += score
        count[row0:row1, col0:col1] += 1
    for row in range(lattice.height):
        for col in range(lattice.width):
            total[row, col] = total[row, col] / count[row, col]
    return total


def encode_figures(scene: Scene, encoder: Encoder, windows: int) -> dict[str, float | int]:
    """Windows per second from the file, and images per second of the image tower alone."""
    squares = np.random.default_rng(0).integers(
        0, 256, (windows, encoder.image_size, encoder.image_size, 3), np.uint8
    )
    tower_s = timed(lambda: encoder.encode_squares(squares), 3).best
    side = max(16, scene.width // round(windows**0.5) * 2)
    options = LocalizeOptions(scales=(side,))
    count = len(half_stride_lattice(scene.width, scene.height, (side,)))
    scene_s = timed(lambda: embed_scene(scene, encoder, options, cache=False), 3).best
    return {
        "encoder_per_s": windows / tower_s,
        "scene_windows_per_s": count / scene_s,
        "encode_efficiency": (count / scene_s) / (windows / tower_s),
    }


def localize_large(folder: Path, side: int) -> None:
    """Localize a scene and write the results; prints windows and peak memory of this process."""
    with Scene.open(sparse_scene(folder / "large.tif", side)) as scene:
        heat = localize(scene, "red", FakeEncoder(image_size=128), cache=False)
        regions(heat)
        write_cog(heat, folder / "heat.tif")
    print(heat.n_windows, peak_rss_gib())


def memory_figures(side: int) -> dict[str, float | int]:
    """Peak memory and wall time of a scene of `side` pixels, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, __file__, "--large", folder, str(side)],
            check=True,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - began
    windows, memory = done.stdout.split()
    return {"large_windows": int(windows), "large_s": seconds, "peak_rss_gib": float(memory)}


def noise_scene(path: Path, side: int) -> Path:
    """A tiled GeoTIFF of noise with overviews, as scenes to be encoded usually are."""
    import rasterio

    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side), np.uint8)
    with rasterio.open(
        path, "w", driver="COG", count=3, dtype="uint8", width=side, height=side, crs="EPSG:32633",
        transform=rasterio.Affine(_METRES, 0, 5e5, 0, -_METRES, 5e6), compress="deflate",
    ) as target:  # fmt: skip
        target.write(pixels)
    return path


def measure(small: bool, parts: Collection[str] = PARTS) -> dict[str, float | int]:
    """The figures of some parts."""
    encoder = load_encoder(DEFAULT_MODEL)
    side, windows = (1000, 64) if small else (10_000, _ENCODED_WINDOWS)
    found: dict[str, float | int] = {}
    with tempfile.TemporaryDirectory() as folder:
        with Scene.open(sparse_scene(Path(folder) / "a.tif", side)) as scene:
            if "queries" in parts:
                found |= query_figures(scene, encoder)
            if "reference" in parts:
                found |= reference_figures(scene, small)
        if "encode" in parts:
            noise = noise_scene(Path(folder) / "b.tif", 512 if small else 4096)
            with Scene.open(noise) as scene:
                found |= encode_figures(scene, encoder, windows)
    if "memory" in parts:
        found |= memory_figures(3000 if small else 30_000)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--small", action="store_true", help="tenth of the side, to try it")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; repeatable")
    parser.add_argument("--large", nargs=2, metavar=("FOLDER", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.large:
        localize_large(Path(options.large[0]), int(options.large[1]))
        return
    report("localization", measure(options.small, options.only or PARTS), options.json)


if __name__ == "__main__":
    main()
