"""Pixel values of an open raster: windows of its RGB bands at any size, with their valid mask."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Shaped, UInt8

from terraseek.decoding import check_time
from terraseek.scenes.bands.spectral_bands import RgbBands
from terraseek.scenes.limits import SEQUENTIAL_DRIVERS
from terraseek.scenes.opening import decoding
from terraseek.scenes.sequential import average_rows

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

__all__ = ["PixelWindow", "RasterReader"]

PixelWindow = tuple[int, int, int, int]
"""First row, first column, row after the last, column after the last."""


_MAX_DECODED_TWICE = 1 << 24
"""Windows of PNG files with more pixels are decimated row by row, see `sequential`."""


class RasterReader:
    """Reads the RGB bands of an open raster in the data type of the file."""

    def __init__(self, dataset: "DatasetReader", name: str, bands: RgbBands) -> None:
        """Wrap an open dataset; `name` is its name in errors."""
        self._dataset = dataset
        self._name = name
        self._bands = bands

    @cached_property
    def declares_mask(self) -> bool:
        """Whether the file marks invalid pixels: by nodata, a mask, alpha, or NaN."""
        from rasterio.enums import MaskFlags

        flags = [self._dataset.mask_flag_enums[i - 1] for i in self._bands.rgb]
        floats = any(np.dtype(self._dataset.dtypes[i - 1]).kind == "f" for i in self._bands.rgb)
        return floats or any(flag != [MaskFlags.all_valid] for flag in flags)

    @property
    def overview_factors(self) -> tuple[int, ...]:
        """Decimation factors of the overviews in the file, for example (2, 4, 8).

        Those of the JPEG decoder do not count, because each read starts at the top of the image.
        """
        if self._dataset.driver == "JPEG":
            return ()
        return tuple(self._dataset.overviews(self._bands.rgb[0]))

    @cached_property
    def palette(self) -> UInt8[np.ndarray, "n 3"]:
        """RGB of each palette index."""
        entries = self._dataset.colormap(self._bands.rgb[0])
        table = np.zeros((max(entries) + 1, 3), np.uint8)
        for index, colour in entries.items():
            table[index] = colour[:3]
        return table

    def read(
        self, window: PixelWindow, size: tuple[int, int] | None = None
    ) -> tuple[Shaped[np.ndarray, "bands h w"], Bool[np.ndarray, "h w"]]:
        """Read a window as values [bands, h, w] and which of them are valid [h, w].

        Args:
            window: the window, inside the raster.
            size: (height, width) of the result; None reads the pixels of the file.

        Raises:
            TruncatedImageError: the pixels cannot be decoded.
        """
        from rasterio.enums import Resampling
        from rasterio.windows import Window

        row0, col0, row1, col1 = window
        where = Window(col0, row0, col1 - col0, row1 - row0)
        height, width = size or (row1 - row0, col1 - col0)
        shrinks = height < row1 - row0 or width < col1 - col0
        # no cubic resampling, which rings at nodata edges; palette indices cannot be averaged
        smooth = Resampling.average if shrinks else Resampling.bilinear
        large = (row1 - row0) * (col1 - col0) > _MAX_DECODED_TWICE
        if (
            shrinks
            and large
            and self._dataset.driver in SEQUENTIAL_DRIVERS
            and not self._bands.palette
            and height <= row1 - row0
            and width <= col1 - col0
        ):
            return average_rows(
                lambda start, stop: self.read((row0 + start, col0, row0 + stop, col1)),
                (row1 - row0, col1 - col0),
                (height, width),
            )
        resampling = Resampling.nearest if self._bands.palette else smooth
        shape = (len(self._bands.rgb), height, width)
        indexes = list(self._bands.rgb)
        check_time()
        with decoding(self._name):
            values = self._dataset.read(
                indexes, window=where, out_shape=shape, resampling=resampling
            )
            if self._bands.cmyk:
                values = _cmyk_to_rgb(values)
            if self._bands.inverted:
                values = 255 - values
            if not self.declares_mask:
                return values, np.ones((height, width), bool)
            masks = self._dataset.read_masks(
                indexes, window=where, out_shape=shape, resampling=Resampling.nearest
            )
        valid = np.any(masks > 0, axis=0)
        if values.dtype.kind == "f":
            valid &= np.all(np.isfinite(values), axis=0)
        return values, valid


def _cmyk_to_rgb(values: Shaped[np.ndarray, "4 h w"]) -> UInt8[np.ndarray, "3 h w"]:
    """Light that remains after each ink and the black ink; 8-bit values, 255 is full ink."""
    inks = values.astype(np.uint16)
    rgb: UInt8[np.ndarray, "3 h w"] = ((255 - inks[:3]) * (255 - inks[3]) // 255).astype(np.uint8)
    return rgb
