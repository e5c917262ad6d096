"""A scene: one raster or image, its geometry, and its pixels as 8-bit RGB."""

import logging
from functools import cached_property, lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from jaxtyping import Bool, Shaped, UInt8

from terraseek.errors import NoValidPixelsError
from terraseek.files import sha256_of
from terraseek.geo import BBox
from terraseek.scenes.collar import find_collar
from terraseek.scenes.georef import Georef, read_georef
from terraseek.scenes.limits import SceneLimits
from terraseek.scenes.opening import decoding, open_dataset
from terraseek.scenes.spectral_bands import Bands, choose_bands
from terraseek.scenes.stretch import Stretch

if TYPE_CHECKING:
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

__all__ = ["Scene"]

_logger = logging.getLogger(__name__)
_LOOK_SIDE = 1024
_PATCHES, _PATCH_SIDE = 8, 128
_TRUSTED_PX = 3.0
"""Misses of control points up to this are within what a window tells apart."""
_SAMPLED_ABOVE = 100_000_000


@lru_cache(maxsize=64)
def _hash_of(path: Path, inode: int, size: int, changed_ns: int) -> str:
    """Read once for each state of a file: half a gigabyte takes a second."""
    return sha256_of(path)[:16]


class Scene:
    """An open raster; a context manager, and not to be read from two threads at once.

    Positions are pixels: row 0 at the top, column 0 at the left, (0, 0) the outer corner of the
    first pixel. A scene without a CRS lives in pixel space: `crs`, `bounds`, `footprint` and
    `gsd_m` are None.
    """

    def __init__(self, path: Path, dataset: "DatasetReader") -> None:
        self.path = path
        self.name = path.name
        self._dataset = dataset
        self.width: int = dataset.width
        self.height: int = dataset.height
        self.band_count: int = dataset.count
        self.dtype: str = dataset.dtypes[0]
        self.georef: Georef = read_georef(dataset, path)
        self.bands: Bands = choose_bands(dataset)

    @classmethod
    def open(cls, path: Path | str, limits: SceneLimits | None = None) -> "Scene":
        """Open a raster or image; pixels are decoded when they are read.

        Raises:
            FileNotFoundError: there is no such file.
            SceneError: the class below it says what is wrong with the file.
        """
        path = Path(path)
        return cls(path, open_dataset(path, limits or SceneLimits()))

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; geometry stays readable."""
        self._dataset.close()

    @property
    def transform(self) -> Affine:
        """(col, row) of pixel corners to CRS coordinates; identity in pixel space."""
        return self.georef.transform

    @property
    def crs(self) -> "CRS | None":
        """CRS of the grid, None in pixel space."""
        return self.georef.crs

    @property
    def gsd_m(self) -> float | None:
        """Metres on the ground per pixel, at the centre."""
        return self.georef.gsd_m

    @property
    def footprint(self) -> list[list[float]] | None:
        """[lon, lat] of the corners ul, ur, lr, ll."""
        return self.georef.footprint

    @property
    def bounds(self) -> BBox | None:
        """Box around the scene, EPSG:4326."""
        return self.georef.bounds

    def pixel_to_lonlat(self, col: float, row: float) -> tuple[float, float] | None:
        """(lon, lat) of a pixel position; (0.5, 0.5) is the centre of the first pixel."""
        return self.georef.pixel_to_lonlat(col, row)

    def lonlat_to_pixel(self, lon: float, lat: float) -> tuple[float, float] | None:
        """(col, row) of a place in degrees; may lie outside the scene."""
        return self.georef.lonlat_to_pixel(lon, lat)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What somebody who trusts the scene's place should know, one sentence each."""
        off = self.georef.residual_px
        if off is None or off <= _TRUSTED_PX:
            return ()
        return (
            f"{self.name} is placed by control points that its fit misses by {off:.1f} px; "
            "coordinates are that uncertain",
        )

    @cached_property
    def scene_hash(self) -> str:
        """First 16 hex digits of the file's SHA-256."""
        state = self.path.stat()
        return _hash_of(self.path, state.st_ino, state.st_size, state.st_mtime_ns)

    @property
    def has_mask(self) -> bool:
        """Whether some pixels may be invalid: nodata, a mask, alpha, NaN, or a black collar."""
        return self._declares_mask or self._collar is not None

    @cached_property
    def _declares_mask(self) -> bool:
        from rasterio.enums import MaskFlags

        flags = [self._dataset.mask_flag_enums[i - 1] for i in self.bands.rgb]
        floats = any(np.dtype(self._dataset.dtypes[i - 1]).kind == "f" for i in self.bands.rgb)
        return floats or any(flag != [MaskFlags.all_valid] for flag in flags)

    @cached_property
    def stretch(self) -> Stretch:
        """The rule from the file's numbers to 8 bits, the same for every window.

        Raises:
            NoValidPixelsError: not one valid pixel was found.
            TruncatedImageError: the pixels could not be decoded.
        """
        values, valid = self._look
        if self._collar is not None and self._collar.shape == valid.shape:
            valid = valid & ~self._collar
        if not np.any(valid):
            raise NoValidPixelsError(
                f"{self.name} has no valid pixels: all are nodata, NaN or transparent"
            )
        return Stretch.of(values, valid)

    def read(
        self, row0: int, col0: int, row1: int, col1: int, size: tuple[int, int] | None = None
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """RGB pixels [h, w, 3] and which of them are valid [h, w].

        Args:
            row0: first row.
            col0: first column.
            row1: row after the last.
            col1: column after the last.
            size: (height, width) of the answer; overviews are used where they help. Without it
                the answer has the pixels of the file.

        Raises:
            ValueError: the window is empty or leaves the scene.
            NoValidPixelsError: the scene has no valid pixel at all.
            TruncatedImageError: the pixels could not be decoded.
        """
        if not (0 <= row0 < row1 <= self.height and 0 <= col0 < col1 <= self.width):
            raise ValueError(
                f"window rows {row0}-{row1}, columns {col0}-{col1} leaves the scene of "
                f"{self.height} rows and {self.width} columns"
            )
        stretch = self.stretch
        values, valid = self._values((row0, col0, row1, col1), size)
        valid = self._inside_collar((row0, col0, row1, col1), valid)
        return self._image(values, valid, stretch), valid

    def thumbnail(
        self, max_side: int
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """The whole scene with its longer side at most `max_side` pixels."""
        return self.read(0, 0, self.height, self.width, self.fitted(max_side))

    def fitted(self, max_side: int) -> tuple[int, int]:
        """(height, width) of the scene shrunk to at most `max_side`, never enlarged."""
        factor = min(1.0, max_side / max(self.width, self.height))
        return max(1, round(self.height * factor)), max(1, round(self.width * factor))

    @property
    def overview_factors(self) -> tuple[int, ...]:
        """Decimations the file holds ready, for example (2, 4, 8).

        Those a JPEG decoder offers do not count: each read of them starts at the top again.
        """
        if self._dataset.driver == "JPEG":
            return ()
        return tuple(self._dataset.overviews(self.bands.rgb[0]))

    def _values(
        self, window: tuple[int, int, int, int], size: tuple[int, int] | None
    ) -> tuple[Shaped[np.ndarray, "bands h w"], Bool[np.ndarray, "h w"]]:
        from rasterio.enums import Resampling
        from rasterio.windows import Window

        row0, col0, row1, col1 = window
        where = Window(col0, row0, col1 - col0, row1 - row0)
        height, width = size or (row1 - row0, col1 - col0)
        shrinks = height < row1 - row0 or width < col1 - col0
        # cubic rings around nodata edges and averages of palette numbers mean nothing
        smooth = Resampling.average if shrinks else Resampling.bilinear
        how = Resampling.nearest if self.bands.palette else smooth
        shape = (len(self.bands.rgb), height, width)
        indexes = list(self.bands.rgb)
        with decoding(self.name):
            values = self._dataset.read(indexes, window=where, out_shape=shape, resampling=how)
            if not self._declares_mask:
                return values, np.ones((height, width), bool)
            masks = self._dataset.read_masks(
                indexes, window=where, out_shape=shape, resampling=Resampling.nearest
            )
        valid = np.any(masks > 0, axis=0)
        if values.dtype.kind == "f":
            valid &= np.all(np.isfinite(values), axis=0)
        return values, valid

    @cached_property
    def _look(self) -> tuple[Shaped[np.ndarray, "bands h w"], Bool[np.ndarray, "h w"]]:
        """A small image of the whole: decimated, or patches where that would read too much."""
        whole = (0, 0, self.height, self.width)
        factor = max(self.overview_factors, default=1)
        if self.width * self.height / factor**2 <= _SAMPLED_ABOVE:
            return self._values(whole, self.fitted(_LOOK_SIDE))
        side = _PATCH_SIDE
        rows = np.linspace(0, self.height - side, _PATCHES).astype(int).tolist()
        cols = np.linspace(0, self.width - side, _PATCHES).astype(int).tolist()
        patches = [self._values((r, c, r + side, c + side), None) for r in rows for c in cols]
        values = np.concatenate([patch for patch, _ in patches], axis=2)
        return values, np.concatenate([valid for _, valid in patches], axis=1)

    @cached_property
    def _collar(self) -> Bool[np.ndarray, "h w"] | None:
        """Undeclared black border on the scale of `_look`; None where there is none."""
        values, valid = self._look
        if self.bands.palette or values.shape[1:] != self.fitted(_LOOK_SIDE):
            return None
        return find_collar(values, valid)

    def _inside_collar(
        self, window: tuple[int, int, int, int], valid: Bool[np.ndarray, "h w"]
    ) -> Bool[np.ndarray, "h w"]:
        if self._collar is None:
            return valid
        row0, col0, row1, col1 = window
        height, width = self._collar.shape
        rows = row0 + (np.arange(valid.shape[0]) + 0.5) * ((row1 - row0) / valid.shape[0])
        cols = col0 + (np.arange(valid.shape[1]) + 0.5) * ((col1 - col0) / valid.shape[1])
        near_rows = (rows * height / self.height).astype(int)
        near_cols = (cols * width / self.width).astype(int)
        inside: Bool[np.ndarray, "h w"] = valid & ~self._collar[np.ix_(near_rows, near_cols)]
        return inside

    def _image(
        self,
        values: Shaped[np.ndarray, "bands h w"],
        valid: Bool[np.ndarray, "h w"],
        stretch: Stretch,
    ) -> UInt8[np.ndarray, "h w 3"]:
        if self.bands.palette:
            rgb = self._palette[np.minimum(values[0], len(self._palette) - 1)]
        else:
            shown = stretch.apply(values)
            rgb = np.moveaxis(shown if len(shown) == 3 else np.repeat(shown, 3, axis=0), 0, -1)
        rgb = np.ascontiguousarray(rgb)
        rgb[~valid] = 0
        return rgb

    @cached_property
    def _palette(self) -> UInt8[np.ndarray, "n 3"]:
        entries = self._dataset.colormap(self.bands.rgb[0])
        table = np.zeros((max(entries) + 1, 3), np.uint8)
        for index, colour in entries.items():
            table[index] = colour[:3]
        return table
