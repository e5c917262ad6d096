"""Render the three large scenes and write them as georeferenced TIFF, with their annotations."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from terraseek.files import atomic_path
from terraseek.scenes.gdal_restrictions import restrict_gdal
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.light import Sky, render
from terraseek_demoworld.drawing.palette import DRY, SUMMER, TROPICAL, Look
from terraseek_demoworld.scenes.airport_city import paint_airport_city
from terraseek_demoworld.scenes.farmland import paint_farmland
from terraseek_demoworld.scenes.ground_truth import GroundTruth
from terraseek_demoworld.scenes.harbour_city import paint_harbour_city

__all__ = ["SCENES", "SceneSpec", "render_scene", "write_scene"]

_SIDE_M = 2048.0


@dataclass(frozen=True)
class SceneSpec:
    """Painter of a scene and its position: EPSG code, upper left corner in metres.

    `azimuth` is the direction towards the sun in radians, see `Sky`.
    """

    paint: Callable[[Canvas], GroundTruth]
    look: Look
    epsg: int
    west: float
    north: float
    azimuth: float


SCENES: dict[str, SceneSpec] = {
    "airport_city": SceneSpec(paint_airport_city, SUMMER, 32632, 470_320, 5_542_040, 0.9),
    "harbour_city": SceneSpec(paint_harbour_city, TROPICAL, 32736, 309_680, 6_695_060, -2.1),
    "farmland": SceneSpec(paint_farmland, DRY, 32614, 318_760, 4_201_180, 2.2),
}


def render_scene(
    name: str, seed: int, size: int
) -> tuple[UInt8[np.ndarray, "n n 3"], list[dict[str, Any]]]:
    """Image of a scene, `size` pixels for 2,048 m on each side, and its annotations."""
    spec = SCENES[name]
    rng = np.random.default_rng([77, list(SCENES).index(name), seed])
    canvas = Canvas(size, size, _SIDE_M / size, spec.look, rng)
    truth = spec.paint(canvas)
    sky = Sky(spec.azimuth, np.deg2rad(48), 0.05, 0.5, 1.0, (1.0, 1.0, 1.0))
    return render(canvas, sky), truth.annotations(f"{name}.tif", size, size)


def write_scene(task: tuple[str, str, int, int]) -> list[dict[str, Any]]:
    """Write `<folder>/<name>.tif` for a task (folder, name, seed, size); return the annotations."""
    folder, name, seed, size = task
    image, notes = render_scene(name, seed, size)
    _write_tiff(Path(folder) / f"{name}.tif", image, SCENES[name])
    return notes


def _write_tiff(path: Path, image: UInt8[np.ndarray, "n n 3"], spec: SceneSpec) -> None:
    restrict_gdal()
    import rasterio
    from affine import Affine
    from rasterio.enums import ColorInterp, Resampling

    size = image.shape[0]
    gsd_m = _SIDE_M / size
    profile = {
        "driver": "GTiff", "width": size, "height": size, "count": 3, "dtype": "uint8",
        "crs": f"EPSG:{spec.epsg}",
        "transform": Affine(gsd_m, 0, spec.west, 0, -gsd_m, spec.north),
        "tiled": True, "blockxsize": 256, "blockysize": 256, "photometric": "RGB",
        "compress": "DEFLATE", "predictor": 2, "zlevel": 4, "num_threads": 1,
    }  # fmt: skip
    factors = [f for f in (2, 4, 8, 16) if size // f >= 128]
    with atomic_path(path) as part:
        with rasterio.open(part, "w", **profile) as target:
            target.write(np.moveaxis(image, 2, 0))
            target.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        with rasterio.Env(GDAL_NUM_THREADS="1"), rasterio.open(part, "r+") as target:
            target.build_overviews(factors, Resampling.average)
