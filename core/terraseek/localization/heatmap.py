"""The answer: a score for every place of the scene, with the geometry it lies on."""

from dataclasses import dataclass
from dataclasses import field as default
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from jaxtyping import Bool, Float32, Float64, UInt8

from terraseek.localization.windows.fields import Field
from terraseek.localization.windows.row_blocks import in_bands
from terraseek.scenes import Georef
from terraseek.scenes.web_mercator import to_mercator

if TYPE_CHECKING:
    from rasterio.crs import CRS

__all__ = ["HeatMap", "Peak"]

_LOW_SHARE, _HIGH_SHARE = 50.0, 99.8
_DISPLAY_SIDE = 256
"""The range of colours is taken from so many rows and columns at most."""
_SMALL = 1 << 20
"""Pixels from which drawing is shared by threads; starting them costs as much as this."""
_ROWS_AT_ONCE = 128
"""Rows drawn before they are put in their place: small enough to stay in the core's cache."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The best place."""

    col: int
    """Column of the pixel in the scene, 0 at the left."""
    row: int
    """Row of the pixel in the scene, 0 at the top."""
    lon: float | None
    """Longitude of the pixel's centre, EPSG:4326; None in pixel space."""
    lat: float | None
    """Latitude of the pixel's centre; None in pixel space."""
    score: float
    """Cosine there."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Scores of one sentence or image over one scene.

    The answer itself is `field`, a few thousand numbers. What is looked at is drawn when somebody
    looks: tiles, `score`, full-resolution rows.
    """

    field: Field
    """Cosine as a function of the pixel position, for any resolution."""
    shape: tuple[int, int]
    """(height, width) of the grid of `score`, which covers the scene exactly."""
    inside: Bool[np.ndarray, "h w"] | None
    """Cells of that grid whose pixels are valid; None where all are."""
    georef: Georef
    """Grid of the scene itself, in full resolution."""
    name: str
    """File name of the scene."""
    query: str
    """The sentence, or a word for the image."""
    encoder_id: str
    method: str
    windows: int
    """Windows that were encoded."""
    encode_s: float
    """Seconds spent to get the window vectors, near zero from the cache."""
    query_s: float
    """Seconds from the sentence to this map."""
    layers: dict[int, Field] = default(default_factory=dict)
    """One field per window side in pixels, where the method has them."""
    window_px: int = 0
    """Smallest window side in pixels."""
    stored: bool = False
    """Whether an earlier question had its windows encoded already."""
    warnings: tuple[str, ...] = ()
    """What the reader of the map should know, one sentence each."""
    confidence: float | None = None
    """0-1: share of background images the peak's window beats; None without a calibration."""
    convincing: bool | None = None
    """Whether the best window beats the best of as many unrelated ones; None when unknown.

    Unknown without a calibration, for images as queries, and with sentences to subtract; never
    with a sentence of words the model has not read.
    """
    bar: float | None = None
    """Cosine of the best window from which the map is convincing; None when unknown."""
    span: tuple[float, float] | None = None
    """Cosines of level 0 and level 255 of the published 8-bit maps; None for other methods."""

    @property
    def width(self) -> int:
        """Columns of the scene."""
        return self.georef.width

    @property
    def height(self) -> int:
        """Rows of the scene."""
        return self.georef.height

    @property
    def crs(self) -> "CRS | None":
        """CRS of scene and map."""
        return self.georef.crs

    @property
    def scale(self) -> float:
        """Scene pixels per cell of `score`, along the longer side."""
        height, width = self.shape
        return float(max(self.width / width, self.height / height))

    @property
    def transform(self) -> Affine:
        """(col, row) of cell corners of `score` to CRS coordinates; corners are the scene's."""
        return self.grid.transform

    @property
    def grid(self) -> Georef:
        """Geometry of `score`."""
        return self.georef.reduced(self.shape[1], self.shape[0])

    @cached_property
    def score(self) -> Float32[np.ndarray, "h w"]:
        """Cosine at the cells of a grid that covers the scene exactly; NaN is invalid."""
        return self._drawn(*self._positions(*self.shape), self.field)

    @cached_property
    def valid(self) -> Bool[np.ndarray, "h w"]:
        """Cells of `score` that have one."""
        known: Bool[np.ndarray, "h w"] = np.isfinite(self.score)
        return known

    @cached_property
    def _display(self) -> tuple[float, float]:
        fewer = min(1.0, _DISPLAY_SIDE / max(self.shape))
        height, width = (max(1, round(side * fewer)) for side in self.shape)
        values = self._drawn(*self._positions(height, width), self.field)
        values = values[np.isfinite(values)]
        if values.size == 0:  # what is valid lies between the samples
            values = self.score[self.valid]
        low, high = (float(v) for v in np.percentile(values, (_LOW_SHARE, _HIGH_SHARE)))
        return (low, high) if high > low else (low - 1e-3, low + 1e-3)

    @property
    def low(self) -> float:
        """Score to draw as "nothing": the median of the scene."""
        return self._display[0]

    @property
    def high(self) -> float:
        """Score to draw as "most": only 0.2 % of the scene lies above."""
        return self._display[1]

    @cached_property
    def peak(self) -> Peak:
        """The place with the highest score; the middle cell where several share it."""
        best = np.nanmax(self.score)
        rows, cols = np.nonzero(self.score == best)
        middle = np.argmin((rows - rows.mean()) ** 2 + (cols - cols.mean()) ** 2)
        return self.place(int(rows[middle]), int(cols[middle]))

    def place(self, row: int, col: int) -> Peak:
        """The scene pixel at the centre of a cell of `score`."""
        height, width = self.shape
        scene_row = min(int((row + 0.5) * self.height / height), self.height - 1)
        scene_col = min(int((col + 0.5) * self.width / width), self.width - 1)
        lonlat = self.georef.pixel_to_lonlat(scene_col + 0.5, scene_row + 0.5)
        lon, lat = lonlat or (None, None)
        return Peak(scene_col, scene_row, lon, lat, float(self.score[row, col]))

    def draw(
        self, row0: int, row1: int, layer: Field | None = None
    ) -> Float32[np.ndarray, "rows width"]:
        """Scores of full-resolution rows `row0` to `row1` of the scene, NaN where invalid.

        `layer` is one of `layers`; without it the map itself is drawn.
        """
        return self._drawn(
            np.arange(row0, row1) + 0.5, np.arange(self.width) + 0.5, layer or self.field
        )

    def sampled(
        self, rows: Float64[np.ndarray, " n"], cols: Float64[np.ndarray, " m"]
    ) -> Float32[np.ndarray, "n m"]:
        """Scores at row x column positions in pixels of the scene, ascending; NaN where invalid."""
        return self._drawn(rows, cols, self.field)

    def _positions(
        self, height: int, width: int
    ) -> tuple[Float64[np.ndarray, " height"], Float64[np.ndarray, " width"]]:
        """Scene rows and columns of the centres of a grid's cells."""
        rows = (np.arange(height) + 0.5) * (self.height / height)
        return rows, (np.arange(width) + 0.5) * (self.width / width)

    def _drawn(
        self, rows: Float64[np.ndarray, " n"], cols: Float64[np.ndarray, " m"], field: Field
    ) -> Float32[np.ndarray, "n m"]:
        out = np.empty((len(rows), len(cols)), np.float32)
        height, width = self.shape
        near_rows = (rows * (height / self.height)).astype(np.int64).clip(0, height - 1)
        near_cols = (cols * (width / self.width)).astype(np.int64).clip(0, width - 1)

        def work(first: int, last: int) -> None:
            out[first:last] = field.draw(rows[first:last], cols)
            if self.inside is not None:
                outside = ~self.inside[np.ix_(near_rows[first:last], near_cols)]
                out[first:last][outside] = np.nan

        if out.size < _SMALL:
            work(0, len(rows))
        else:
            in_bands(len(rows), work, _ROWS_AT_ONCE, _ROWS_AT_ONCE)
        return out

    def values(self) -> UInt8[np.ndarray, "h w"]:
        """`score` as 0-255 between `low` and `high`; invalid cells are 0."""
        return self.levels(self.score)

    def levels(self, score: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
        """Scores as 0-255 between `low` and `high`; NaN is 0."""
        scaled = (score - self.low) * (255 / (self.high - self.low))
        return np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255).round().astype(np.uint8)

    def preview(
        self, max_side: int = 1024
    ) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"], list[list[float]] | None]:
        """Values, alpha and corners for an image on a web map; see `scenes.web_mercator`.

        Returns:
            Values 0-255 between `low` and `high`; alpha 255 where valid; [lon, lat] of the
            image's corners ul, ur, lr, ll. On a located scene the image is warped to Web
            Mercator, so that a MapLibre image source lies exactly. Without a CRS the corners are
            None and the image has the pixels of the scene.
        """
        image, valid, corners = to_mercator(
            self.values()[..., None], self.valid, self.grid, max_side
        )
        return image[..., 0], np.where(valid, np.uint8(255), np.uint8(0)), corners
