"""Scene: one raster or image with its georeferencing, read as 8-bit RGB."""

from functools import cached_property, lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from jaxtyping import Bool, Shaped, UInt8

from terraseek.decoding import guarded
from terraseek.display import png_bytes
from terraseek.errors import (
    NotAnImageError,
    NoValidPixelsError,
    OutsideSceneError,
    TruncatedImageError,
)
from terraseek.files import sha256_of
from terraseek.geo import BBox
from terraseek.scenes.bands.spectral_bands import RgbBands, choose_rgb_bands
from terraseek.scenes.bands.stretch import Stretch
from terraseek.scenes.box_window import window_of_box
from terraseek.scenes.collar import find_collar, outside_collar
from terraseek.scenes.first_frame import copy_by_pillow, upright_copy
from terraseek.scenes.georef import Georef
from terraseek.scenes.georef_from_file import read_georef
from terraseek.scenes.limits import SceneLimits
from terraseek.scenes.opening import open_dataset
from terraseek.scenes.raster_reader import RasterReader

if TYPE_CHECKING:
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

__all__ = ["Scene"]

_SAMPLE_SIDE = 1024
_PATCHES, _PATCH_SIDE = 8, 128
_MAX_RESIDUAL_PX = 3.0
"""Residuals of control points up to this do not matter at the size of a window."""
_MAX_PIXELS_DECIMATED = 100_000_000
"""Scenes with more pixels (after the largest overview) are sampled in patches."""
_NOTEBOOK_SIDE = 512
"""Longer side in pixels of the image shown in a notebook."""


@lru_cache(maxsize=64)
def _hash_of(path: Path, inode: int, size: int, modified_ns: int) -> str:
    """Hash of a file, cached for its state, because hashing half a gigabyte takes a second."""
    return sha256_of(path)[:16]


def _reduced_size(height: int, width: int, max_side: int) -> tuple[int, int]:
    """(height, width) with the longer side at most `max_side` pixels; never enlarged."""
    factor = min(1.0, max_side / max(width, height))
    return max(1, round(height * factor)), max(1, round(width * factor))


class Scene:
    """An open raster; a context manager, which must not be read by two threads at the same time.

    Read it with `window` (rows and columns), `part` (a box in degrees), `preview` (all of it) and
    `point` (one place). Every one of them returns 8-bit RGB.

    Positions are in pixels: row 0 is at the top, column 0 at the left, and (0, 0) is the outer
    corner of the first pixel. A scene without a CRS is in pixel space: `crs`, `bounds`, `footprint`
    and `gsd_m` are None.
    """

    def __init__(self, path: Path, dataset: "DatasetReader", animated: bool = False) -> None:
        self.path = path
        self.name = path.name
        self._dataset = dataset
        self.width: int = dataset.width
        self.height: int = dataset.height
        self.band_count: int = dataset.count
        self.dtype: str = dataset.dtypes[0]
        self.georef: Georef = read_georef(dataset, path)
        self.bands: RgbBands = choose_rgb_bands(dataset)
        self.animated = animated
        """Whether the file has more frames than the first, which is the one that is read."""
        self.pages: int = max(1, len(dataset.subdatasets)) if dataset.driver == "GTiff" else 1
        """Number of images in the file, of which the first is read."""
        self._reader = RasterReader(dataset, path.name, self.bands)

    @classmethod
    def open(cls, path: Path | str, limits: SceneLimits | None = None) -> "Scene":
        """Open a raster or image; pixels are decoded when they are read.

        Raises:
            FileNotFoundError: there is no such file.
            SceneError: the file cannot be used; the subclass says why.
        """
        path = Path(path)
        limits = limits or SceneLimits()
        try:
            dataset = open_dataset(path, limits)
        except (TruncatedImageError, NotAnImageError):
            copy = copy_by_pillow(path, limits)
            if copy is None:
                raise
            dataset = copy
        try:
            with guarded(path.name):
                copy, animated = upright_copy(dataset, path)
                if copy is not None:
                    dataset.close()
                    dataset = copy
                scene = cls(path, dataset, animated)
            limits.check_control_points(path, scene.georef.residual_px)
        except BaseException:
            dataset.close()
            raise
        return scene

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        gsd = "" if self.gsd_m is None else f", {self.gsd_m:.3g} m per pixel"
        crs = "no CRS" if self.crs is None else self.crs.to_string().partition("[")[0]
        return (
            f"<Scene {self.name!r}: {self.width} x {self.height} pixels, {self.band_count} bands "
            f"{self.dtype}{gsd}, {crs}>"
        )

    def _repr_png_(self) -> bytes | None:
        """Image for notebooks; invalid pixels are transparent. None if the scene is closed."""
        if self._dataset.closed:
            return None
        rgb, valid = self.preview(_NOTEBOOK_SIDE)
        return png_bytes(np.dstack([rgb, np.where(valid, np.uint8(255), np.uint8(0))]))

    def close(self) -> None:
        """Close the file; the georeferencing stays available."""
        self._dataset.close()

    @property
    def transform(self) -> Affine:
        """Affine transform from (col, row) of pixel corners to CRS coordinates."""
        return self.georef.transform

    @property
    def crs(self) -> "CRS | None":
        """CRS of the grid; None in pixel space."""
        return self.georef.crs

    @property
    def gsd_m(self) -> float | None:
        """Ground sample distance at the centre, metres per pixel."""
        return self.georef.gsd_m

    @property
    def footprint(self) -> list[list[float]] | None:
        """[lon, lat] of the corners: upper left, upper right, lower right, lower left."""
        return self.georef.footprint

    @property
    def bounds(self) -> BBox | None:
        """Bounding box, EPSG:4326."""
        return self.georef.bounds

    def pixel_to_lonlat(self, col: float, row: float) -> tuple[float, float] | None:
        """(lon, lat) of a pixel position; (0.5, 0.5) is the centre of the first pixel."""
        return self.georef.pixel_to_lonlat(col, row)

    def lonlat_to_pixel(self, lon: float, lat: float) -> tuple[float, float] | None:
        """(col, row) of a position in degrees, which may be outside the scene."""
        return self.georef.lonlat_to_pixel(lon, lat)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What to know about the georeferencing, the bands and the frames, one sentence each."""
        found = [] if self.bands.note is None else [f"{self.name}: {self.bands.note}"]
        if self.animated:
            found.append(f"{self.name} is an animation; only its first frame is read")
        if self.pages > 1:
            found.append(f"{self.name} has {self.pages} pages; only the first is read")
        residual = self.georef.residual_px
        if residual is not None and residual > _MAX_RESIDUAL_PX:
            found.append(
                f"{self.name} is placed by control points with a fit error of {residual:.1f} "
                "pixels; its coordinates are that uncertain"
            )
        return tuple(found)

    @cached_property
    def scene_hash(self) -> str:
        """First 16 hex digits of the file's SHA-256."""
        state = self.path.stat()
        return _hash_of(self.path, state.st_ino, state.st_size, state.st_mtime_ns)

    @property
    def has_mask(self) -> bool:
        """Whether some pixels may be invalid: nodata, a mask, alpha, NaN, or a black collar."""
        return self._reader.declares_mask or self._collar is not None

    @cached_property
    def stretch(self) -> Stretch:
        """Rule that maps the values of the file to 8 bits, the same for every window.

        Raises:
            NoValidPixelsError: there is no valid pixel.
            TruncatedImageError: the pixels cannot be decoded.
        """
        values, valid = self._sample
        if self._collar is not None and self._collar.shape == valid.shape:
            valid = valid & ~self._collar
        if not np.any(valid):
            raise NoValidPixelsError(
                f"{self.name} has no valid pixels: all are nodata, NaN or transparent"
            )
        return Stretch.of(values, valid)

    def window(
        self, row0: int, col0: int, row1: int, col1: int, size: tuple[int, int] | None = None
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """Read a window as RGB [h, w, 3] and a mask of valid pixels [h, w].

        Args:
            row0: first row.
            col0: first column.
            row1: row after the last.
            col1: column after the last.
            size: (height, width) of the result, read from overviews if possible; None reads the
                pixels of the file.

        Raises:
            ValueError: the window is empty or not inside the scene.
            NoValidPixelsError: the scene has no valid pixel.
            TruncatedImageError: the pixels cannot be decoded.
        """
        if not (0 <= row0 < row1 <= self.height and 0 <= col0 < col1 <= self.width):
            raise ValueError(
                f"window rows {row0}-{row1}, columns {col0}-{col1} is not inside the scene of "
                f"{self.height} rows and {self.width} columns"
            )
        stretch = self.stretch
        window = (row0, col0, row1, col1)
        values, valid = self._reader.read(window, size)
        if self._collar is not None:
            scene_size = (self.height, self.width)
            valid = valid & outside_collar(self._collar, window, scene_size, valid.shape)
        return self._to_rgb(values, valid, stretch), valid

    def part(
        self, bbox: BBox | tuple[float, float, float, float], max_side: int | None = None
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """Read the pixels that cover a box, as RGB [h, w, 3] and a mask of valid pixels [h, w].

        The result is the smallest window of the scene's own grid that contains the part of the box
        inside the scene. Nothing is resampled to another CRS, so that the window of a box on a
        rotated or projected grid also has pixels beside the box.

        Args:
            bbox: west, south, east, north in degrees, EPSG:4326; `west > east` crosses the
                antimeridian.
            max_side: longer side of the result in pixels, at most; None reads the pixels of the
                file.

        Raises:
            BBoxError: the values are no box.
            OutsideSceneError: the box is outside, or the scene has no georeference.
            SceneError: the pixels cannot be read; see `window`.
        """
        box = bbox if isinstance(bbox, BBox) else BBox(*bbox)
        row0, col0, row1, col1 = window_of_box(self.georef, box, self.name)
        size = None if max_side is None else _reduced_size(row1 - row0, col1 - col0, max_side)
        return self.window(row0, col0, row1, col1, size)

    def point(self, lon: float, lat: float) -> UInt8[np.ndarray, "3"] | None:
        """RGB of the pixel at a place in degrees, EPSG:4326; None where the pixel is invalid.

        Raises:
            OutsideSceneError: the place is outside, or the scene has no georeference.
            SceneError: the pixel cannot be read; see `window`.
        """
        if not self.georef.located:
            raise OutsideSceneError(
                f"{self.name} has no georeference, so that no longitude and latitude can be found "
                "in it; read rows and columns with `window`"
            )
        col, row = self.lonlat_to_pixel(lon, lat) or (-1.0, -1.0)
        if not (0 <= col <= self.width and 0 <= row <= self.height):
            raise OutsideSceneError(
                f"longitude {lon:g}, latitude {lat:g} is outside {self.name}; see its `bounds`"
            )
        row0, col0 = min(int(row), self.height - 1), min(int(col), self.width - 1)
        rgb, valid = self.window(row0, col0, row0 + 1, col0 + 1)
        return rgb[0, 0] if valid[0, 0] else None

    def preview(self, max_side: int) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """Read the whole scene with its longer side at most `max_side` pixels; see `window`."""
        return self.window(0, 0, self.height, self.width, self.preview_size(max_side))

    def preview_size(self, max_side: int) -> tuple[int, int]:
        """(height, width) of the scene if its longer side is at most `max_side` pixels."""
        return _reduced_size(self.height, self.width, max_side)

    @property
    def overview_factors(self) -> tuple[int, ...]:
        """Decimation factors of the overviews in the file, for example (2, 4, 8)."""
        return self._reader.overview_factors

    @property
    def decimation(self) -> int:
        """Factor of the smallest overview of which a thumbnail can be made; 1 without overviews.

        A thumbnail decodes at most about `width * height / decimation**2` pixels.
        """
        largest = 1.5 * max(self.width, self.height) / _SAMPLE_SIDE
        return max((f for f in self.overview_factors if f <= largest), default=1)

    @cached_property
    def _sample(self) -> tuple[Shaped[np.ndarray, "bands h w"], Bool[np.ndarray, "h w"]]:
        """Values from all over the scene: a decimated read, or patches where that is too slow."""
        if self.width * self.height / self.decimation**2 <= _MAX_PIXELS_DECIMATED:
            whole = (0, 0, self.height, self.width)
            return self._reader.read(whole, self.preview_size(_SAMPLE_SIDE))
        side = _PATCH_SIDE
        rows = np.linspace(0, self.height - side, _PATCHES).astype(int).tolist()
        cols = np.linspace(0, self.width - side, _PATCHES).astype(int).tolist()
        patches = [self._reader.read((r, c, r + side, c + side)) for r in rows for c in cols]
        values = np.concatenate([patch for patch, _ in patches], axis=2)
        return values, np.concatenate([valid for _, valid in patches], axis=1)

    @cached_property
    def _collar(self) -> Bool[np.ndarray, "h w"] | None:
        """Undeclared black collar at the resolution of `_sample`; None if there is none."""
        values, valid = self._sample
        if self.bands.palette or values.shape[1:] != self.preview_size(_SAMPLE_SIDE):
            return None
        return find_collar(values, valid)

    def _to_rgb(
        self,
        values: Shaped[np.ndarray, "bands h w"],
        valid: Bool[np.ndarray, "h w"],
        stretch: Stretch,
    ) -> UInt8[np.ndarray, "h w 3"]:
        if self.bands.palette:
            palette = self._reader.palette
            rgb = palette[np.minimum(values[0], len(palette) - 1)]
        else:
            shown = stretch.apply(values)
            rgb = np.moveaxis(shown if len(shown) == 3 else np.repeat(shown, 3, axis=0), 0, -1)
        rgb = np.ascontiguousarray(rgb)
        rgb[~valid] = 0
        return rgb
