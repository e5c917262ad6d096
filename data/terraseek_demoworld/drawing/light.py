"""Render colours and heights as an image: one sun, shadows, haze, and a sensor."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.textures import fractal, grain

__all__ = ["Sky", "random_sky", "render", "shadow"]

_ROW_BLOCK = 1024  # rows rendered at once, which bounds the memory of large scenes
_MAX_SHADOW_M = 90.0  # longest shadow


@dataclass(frozen=True)
class Sky:
    """Sun, atmosphere and sensor of one image.

    `azimuth` is the direction towards the sun in radians, clockwise in the image from +x;
    `elevation` in radians; `haze` 0..1; `blur_px` and `noise` (grey levels) describe the sensor;
    `tint` multiplies the sun's red, green and blue.
    """

    azimuth: float
    elevation: float
    haze: float
    blur_px: float
    noise: float
    tint: tuple[float, float, float]


def random_sky(rng: np.random.Generator, lat: float) -> Sky:
    """Random plausible sky: the sun is in the south at northern latitudes and vice versa."""
    towards_equator = np.pi / 2 if lat >= 0 else -np.pi / 2
    r, g, b = 1 + rng.normal(0, 0.025, 3)
    return Sky(
        azimuth=towards_equator + rng.uniform(-1.1, 1.1),
        elevation=np.deg2rad(rng.uniform(32, 60)),
        haze=rng.uniform(0.0, 0.12),
        blur_px=rng.uniform(0.35, 0.75),
        noise=rng.uniform(0.8, 2.6),
        tint=(float(r), float(g), float(b)),
    )


def shadow(
    relief: Float32[np.ndarray, "h w"], gsd_m: float, sky: Sky
) -> Float32[np.ndarray, "h w"]:
    """Share 0..1 of direct light that obstacles take from each pixel.

    An obstacle towards the sun counts with its height minus what the sun's ray rises over the
    distance. The maximum over all distances is a max-plus convolution, so each step doubles the
    distance searched.
    """
    toward = np.array([np.cos(sky.azimuth), np.sin(sky.azimuth)])
    drop = gsd_m * np.tan(sky.elevation)
    reach = min(float(relief.max() - relief.min()) / np.tan(sky.elevation), _MAX_SHADOW_M) / gsd_m
    above = _shifted(relief, toward) - np.float32(drop)
    step = 1
    while step < reach:
        np.maximum(above, _shifted(above, toward * step) - np.float32(drop * step), out=above)
        step *= 2
    above -= relief
    np.clip(above / np.float32(0.8), 0, 1, out=above)
    return cv2.GaussianBlur(above, (0, 0), 0.6)


def render(canvas: Canvas, sky: Sky) -> UInt8[np.ndarray, "h w 3"]:
    """Render the canvas as an RGB image."""
    dark = shadow(canvas.relief, canvas.gsd_m, sky)
    shade = _shading(canvas.relief, canvas.gsd_m, sky)
    mottle = fractal(canvas.rng, (canvas.rows, canvas.cols), max(24 / canvas.gsd_m, 4), 5, 0.7)
    out = np.empty_like(canvas.albedo)
    for start in range(0, canvas.rows, _ROW_BLOCK):
        rows = slice(start, min(start + _ROW_BLOCK, canvas.rows))
        out[rows] = _develop(canvas, rows, dark, shade, mottle, sky)
    return out


def _develop(
    canvas: Canvas,
    rows: slice,
    dark: Float32[np.ndarray, "h w"],
    shade: Float32[np.ndarray, "h w"],
    mottle: Float32[np.ndarray, "h w"],
    sky: Sky,
) -> UInt8[np.ndarray, "n w 3"]:
    direct = (1 - dark[rows]) * shade[rows]
    sun = np.array([0.66, 0.62, 0.56], np.float32) * np.asarray(sky.tint, np.float32)
    air = np.array([0.34, 0.38, 0.44], np.float32)
    image = canvas.albedo[rows].astype(np.float32)
    image *= direct[..., None] * sun + air
    image *= (1 + 0.035 * mottle[rows])[..., None]
    cv2.GaussianBlur(image, (0, 0), sky.blur_px, dst=image)
    image += (np.array([188, 196, 208], np.float32) - image) * np.float32(sky.haze)
    noise = grain(canvas.rng, image.shape[:2], sky.noise)
    image += noise[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def _shading(
    relief: Float32[np.ndarray, "h w"], gsd_m: float, sky: Sky
) -> Float32[np.ndarray, "h w"]:
    slope_x = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=1 / (8 * gsd_m))
    slope_y = cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=1 / (8 * gsd_m))
    facing = -(slope_x * np.cos(sky.azimuth) + slope_y * np.sin(sky.azimuth))
    facing = np.clip(facing, -1.2, 1.0).astype(np.float32)
    # Lambert's law on the slope, relative to flat ground; vertical walls are clipped
    tilt = np.sqrt(1 + slope_x**2 + slope_y**2).clip(max=1.6)
    lit = (1 + facing / np.tan(sky.elevation)) / tilt
    clipped: Float32[np.ndarray, "h w"] = np.clip(lit, 0.25, 1.55).astype(np.float32)
    return clipped


def _shifted(
    values: Float32[np.ndarray, "h w"], offset: Float32[np.ndarray, " 2"] | np.ndarray
) -> Float32[np.ndarray, "h w"]:
    """`values` at each pixel plus `offset` (cols, rows), rounded; -1e6 outside."""
    dc, dr = (round(float(v)) for v in offset)
    rows, cols = values.shape
    out = np.full_like(values, -1e6)
    if abs(dr) < rows and abs(dc) < cols:
        to_rows, from_rows = _overlap(rows, dr)
        to_cols, from_cols = _overlap(cols, dc)
        out[to_rows, to_cols] = values[from_rows, from_cols]
    return out


def _overlap(size: int, shift: int) -> tuple[slice, slice]:
    low, high = max(0, -shift), min(size, size - shift)
    return slice(low, high), slice(low + shift, high + shift)
