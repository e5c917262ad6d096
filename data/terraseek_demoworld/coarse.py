"""Coarse land as a satellite sees it at 10 m per pixel: labelled images, for training only.

The chips of the demo world have 0.3-1 m per pixel; models trained on them and on aerial photographs
take every smooth Sentinel-2 image for water. These images show fields, woods, water, roads and
towns 640 m wide.

The land is painted as reflectance (`land_cover.py`) and then seen from above the atmosphere,
without correction and on a fixed scale: a forest and a lake are both dark and blue there, and
differ only by a little green and by the grain of the trees.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from terraseek.files import write_text
from terraseek_demoworld.land_cover import LANDS

__all__ = ["LANDS", "coarse_chip", "write_coarse"]

_SIDE = 64
_PATH_REFLECTANCE = np.array([16.0, 33.0, 66.0])
"""Reflectance of clear air over black ground at 665, 560 and 490 nm, in thousandths (Rayleigh
scattering: inverse fourth power of the wavelength, sun at half height)."""
_TRANSMITTANCE = np.array([0.93, 0.88, 0.82])
"""Share of light that passes the atmosphere twice, down to the ground and up again."""
_WHITE_REFLECTANCE = 280.0
"""Reflectance in thousandths that is displayed as white (255)."""


def coarse_chip(land: str, seed: int) -> UInt8[np.ndarray, "64 64 3"]:
    """Image of 64 x 64 pixels of about 10 m.

    Args:
        land: a key of `LANDS`.
        seed: the same seed gives the same image.
    """
    rng = np.random.default_rng([list(LANDS).index(land), seed])
    ground = LANDS[land](_SIDE, rng)
    haze = rng.uniform(0, 25) * np.array([0.7, 0.85, 1.0])
    air = _PATH_REFLECTANCE * rng.uniform(0.6, 1.2) + haze
    at_sensor = air + _TRANSMITTANCE * (1 - haze / 300) * ground
    exposure = rng.uniform(0.7, 1.2) * np.exp(rng.uniform(-0.05, 0.05, 3))
    grey = at_sensor * (255 / _WHITE_REFLECTANCE) * exposure
    blurred = np.asarray(cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.35, 0.8)), np.float64)
    chip = np.clip(blurred + rng.normal(0, 1.0, blurred.shape), 0, 255).astype(np.uint8)
    return _jpeg_round_trip(chip, int(rng.integers(60, 98))) if rng.random() < 0.7 else chip


def _jpeg_round_trip(chip: UInt8[np.ndarray, "s s 3"], quality: int) -> UInt8[np.ndarray, "s s 3"]:
    """Compress as JPEG and decode again, which removes the finest grain."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, packed = cv2.imencode(".jpg", cv2.cvtColor(chip, cv2.COLOR_RGB2BGR), flags)
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), np.uint8)


def write_coarse(out: Path, count: int, seed: int = 0) -> Path:
    """Write `count` images of all classes in turn and `labels.csv`; return the path of the CSV."""
    folder = out / "chips"
    folder.mkdir(parents=True, exist_ok=True)
    lands, rows = list(LANDS), ["filename,label"]
    for index in range(count):
        land = lands[index % len(lands)]
        name = f"{land.replace(' ', '-')}-{index:05d}.png"
        Image.fromarray(coarse_chip(land, seed * 10_000_000 + index)).save(folder / name)
        rows.append(f"{name},{land}")
    write_text(out / "labels.csv", "\n".join(rows) + "\n")
    return out / "labels.csv"
