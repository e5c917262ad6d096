"""The result of a localization: a score at every place of a scene, with the scene's geometry."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from jaxtyping import Bool, Float32, Float64, Int32, UInt8

from terraseek.display import png_bytes
from terraseek.errors import OutsideSceneError, SceneError
from terraseek.localization.output.colour.palette import blend
from terraseek.localization.output.colour.scale import ColourScale
from terraseek.localization.windows.fields import Field
from terraseek.localization.windows.row_blocks import for_row_blocks
from terraseek.scenes import Georef, Scene
from terraseek.scenes.web_mercator import to_mercator
from terraseek.significance.model import Level, is_likely
from terraseek.significance.scale import LevelScale
from terraseek.significance.words import WORDS

if TYPE_CHECKING:
    from rasterio.crs import CRS
    from xarray import DataArray

__all__ = ["HeatMap", "Peak"]

_LOW_PERCENTILE, _HIGH_PERCENTILE = 50.0, 99.8
_DISPLAY_SAMPLES = 256
"""Rows and columns, at most, from which the display range is computed."""
_FLAT = 1e-4
"""Range of scores that is only rounding; such a scene has the same score everywhere."""
_NOTEBOOK_SIDE = 640
"""Longest side in pixels of the image shown in a notebook."""
_MIN_THREADED = 1 << 20
"""Pixels from which sampling uses threads; starting them costs as much as sampling these."""
_ROWS_PER_BLOCK = 128
"""Rows sampled before they are copied to their place: few enough for the cache of a core."""


@dataclass(frozen=True, slots=True)
class Peak:
    """A pixel of the scene and its score."""

    col: int
    """Column of the pixel in the scene, 0 at the left."""
    row: int
    """Row of the pixel in the scene, 0 at the top."""
    lon: float | None
    """Longitude of the pixel's centre, EPSG:4326; None without a georeference."""
    lat: float | None
    """Latitude of the pixel's centre, EPSG:4326; None without a georeference."""
    score: float
    """Cosine there."""


@dataclass(frozen=True, eq=False, repr=False)
class HeatMap:
    """Scores of one query over one scene.

    The scores are kept as `field`, a few thousand numbers. Pixels are computed when they are used:
    `score` in memory, rows in full resolution for files, samples for map tiles.
    """

    field: Field
    """Cosine as a function of the pixel position, for any resolution."""
    shape: tuple[int, int]
    """(height, width) of the grid of `score`, which covers the scene exactly."""
    valid_mask: Bool[np.ndarray, "h w"] | None
    """Grid cells whose scene pixels are valid; None where all are."""
    georef: Georef
    """Geometry of the scene in full resolution."""
    scene_name: str
    """File name of the scene."""
    query: str
    """The sentences, or "picture" and the name of the image."""
    encoder_id: str
    """Encoder of windows and query."""
    method: str
    """Name of the localization method."""
    n_windows: int
    """Number of windows that were encoded."""
    encode_s: float
    """Seconds until the window vectors were there, near zero from the cache."""
    query_s: float
    """Seconds from the query to this map, without encoding windows."""
    layers: dict[int, Field] = dataclass_field(default_factory=dict)
    """One field per window side in pixels, where the method has them."""
    window_px: int = 0
    """Smallest window side in pixels."""
    from_cache: bool = False
    """Whether all window vectors came from the cache."""
    warnings: tuple[str, ...] = ()
    """What the reader of the map should know, one sentence each."""
    confidence: float | None = None
    """Fraction (0-1) of unrelated pairs with a lower cosine than the peak; None if unknown."""
    significance: Level | None = None
    """Whether the scene shows what the sentence describes: `likely`, `possible` or `none`; None
    without a calibration and for image queries. Decided in `terraseek.significance`."""
    probability: float | None = None
    """Probability (0-1) on which `significance` was decided."""
    level_scale: LevelScale | None = None
    """Level of single places by their score; None where `significance` is."""
    minus: tuple[str, ...] = ()
    """Sentences whose mean cosine was subtracted."""
    scales: tuple[int, ...] = ()
    """Sides in pixels of the windows that were compared, ascending."""
    parameters: Mapping[str, str | list[str]] = dataclass_field(default_factory=dict)
    """Parameters of a localization request that gives this map again; see `LocalizeRequest`."""
    level_range: tuple[float, float] | None = None
    """Cosines of level 0 and level 255 of the published 8-bit maps; None for other methods."""
    scene_path: Path | None = None
    """File of the scene, over which images of the map are drawn while the file is there."""
    windows: Int32[np.ndarray, "n 4"] | None = None
    """row0, col0, row1, col1 of the windows that were compared; ends are exclusive."""
    window_sides: Int32[np.ndarray, " n"] | None = None
    """Side in pixels of each of these windows; None for methods without layers by side."""

    def __repr__(self) -> str:
        found = "" if self.significance is None else f", {WORDS[self.significance]}"
        return (
            f"<HeatMap {self.query!r} in {self.scene_name!r}: {self.width} x {self.height} pixels, "
            f"method {self.method}, {self.encoder_id}{found}>"
        )

    def _repr_png_(self) -> bytes:
        """Image for notebooks: the map over its scene, or alone where the file is gone."""
        scene, scale = self.scene_image(_NOTEBOOK_SIDE), self.colour_scale()
        if scene is not None:
            return png_bytes(blend(*scene, scale.values(self.score), scale.table))
        fewer = min(1.0, _NOTEBOOK_SIDE / max(self.width, self.height))
        height, width = (max(1, round(side * fewer)) for side in (self.height, self.width))
        score = self.sample(*self._cell_centres(height, width))
        return png_bytes(scale.image(score))

    def scene_image(
        self, max_side: int
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]] | None:
        """RGB and valid mask of the scene; None if its file is gone or has become another one.

        Args:
            max_side: longest side of the image in pixels.
        """
        if self.scene_path is None or not self.scene_path.is_file():
            return None
        try:
            with Scene.open(self.scene_path) as scene:
                same = (scene.width, scene.height) == (self.width, self.height)
                return scene.preview(max_side) if same else None
        except SceneError:
            return None

    @property
    def significant(self) -> bool | None:
        """Whether `significance` is likely; None if it is unknown."""
        return is_likely(self.significance)

    @property
    def question(self) -> str:
        """The query with the sentences that were subtracted: "planes minus car park"."""
        return " minus ".join((self.query, *self.minus))

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
        """CRS of scene and map; None in pixel space."""
        return self.georef.crs

    @property
    def scale(self) -> float:
        """Scene pixels per cell of `score`, along the longer side."""
        height, width = self.shape
        return float(max(self.width / width, self.height / height))

    @property
    def transform(self) -> Affine:
        """(col, row) of cell corners of `score` to CRS coordinates."""
        return self.grid.transform

    @property
    def grid(self) -> Georef:
        """Geometry of `score`; its corners are those of the scene."""
        return self.georef.resized(self.shape[1], self.shape[0])

    @cached_property
    def score(self) -> Float32[np.ndarray, "h w"]:
        """Cosine at the cell centres of a grid that covers the scene exactly; NaN is invalid."""
        return self.sample(*self._cell_centres(*self.shape))

    @cached_property
    def valid(self) -> Bool[np.ndarray, "h w"]:
        """Cells of `score` that are not NaN."""
        finite: Bool[np.ndarray, "h w"] = np.isfinite(self.score)
        return finite

    @cached_property
    def _display_range(self) -> tuple[float, float]:
        fewer = min(1.0, _DISPLAY_SAMPLES / max(self.shape))
        height, width = (max(1, round(side * fewer)) for side in self.shape)
        values = self.sample(*self._cell_centres(height, width))
        values = values[np.isfinite(values)]
        if values.size == 0:  # all valid pixels lie between the samples
            values = self.score[self.valid]
        low, high = (float(v) for v in np.percentile(values, (_LOW_PERCENTILE, _HIGH_PERCENTILE)))
        return (low, high) if high - low > _FLAT else (low - 1e-3, low + 1e-3)

    @property
    def low(self) -> float:
        """Lower end of the display range: the median score of the scene."""
        return self._display_range[0]

    @property
    def high(self) -> float:
        """Upper end of the display range: only 0.2 % of the scene has higher scores."""
        return self._display_range[1]

    def colour_scale(self, stretch: bool = False) -> ColourScale:
        """Colours of scores: by level, or from `low` to `high` where the levels are unknown.

        Args:
            stretch: from `low` to `high` in any case.
        """
        if stretch or self.level_scale is None:
            return ColourScale(self.low, self.high)
        return ColourScale.of_levels(self.level_scale, self.peak.score)

    def level_at(self, score: float) -> Level | None:
        """Level of a place with this score; None where `significance` is unknown."""
        if self.level_scale is None:
            return self.significance
        return self.level_scale.level(self.peak.score - score)

    @cached_property
    def peak(self) -> Peak:
        """The place with the highest score; the middle cell where several share it."""
        best = np.nanmax(self.score)
        rows, cols = np.nonzero(self.score == best)
        middle = np.argmin((rows - rows.mean()) ** 2 + (cols - cols.mean()) ** 2)
        return self.peak_at(int(rows[middle]), int(cols[middle]))

    def peak_at(self, row: int, col: int) -> Peak:
        """The scene pixel at the centre of a cell of `score`, with its score."""
        height, width = self.shape
        scene_row = min(int((row + 0.5) * self.height / height), self.height - 1)
        scene_col = min(int((col + 0.5) * self.width / width), self.width - 1)
        lonlat = self.georef.pixel_to_lonlat(scene_col + 0.5, scene_row + 0.5)
        lon, lat = lonlat or (None, None)
        return Peak(scene_col, scene_row, lon, lat, float(self.score[row, col]))

    def read_rows(
        self, row0: int, row1: int, layer: Field | None = None
    ) -> Float32[np.ndarray, "rows width"]:
        """Scores of the scene's rows `row0` up to `row1` in full resolution; NaN where invalid.

        Args:
            row0: first row.
            row1: row after the last.
            layer: one of `layers`; default the map itself.
        """
        rows, cols = np.arange(row0, row1) + 0.5, np.arange(self.width) + 0.5
        return self.sample(rows, cols, layer)

    def sample(
        self,
        rows: Float64[np.ndarray, " n"],
        cols: Float64[np.ndarray, " m"],
        layer: Field | None = None,
    ) -> Float32[np.ndarray, "n m"]:
        """Scores at row x column positions; NaN where invalid.

        Args:
            rows: ascending positions in pixels of the scene; 0.5 is the centre of the first row.
            cols: ascending positions in pixels of the scene.
            layer: one of `layers`; default the map itself.
        """
        field = layer or self.field
        out = np.empty((len(rows), len(cols)), np.float32)
        height, width = self.shape
        cell_rows = (rows * (height / self.height)).astype(np.int64).clip(0, height - 1)
        cell_cols = (cols * (width / self.width)).astype(np.int64).clip(0, width - 1)

        def work(first: int, last: int) -> None:
            out[first:last] = field.sample(rows[first:last], cols)
            if self.valid_mask is not None:
                invalid = ~self.valid_mask[np.ix_(cell_rows[first:last], cell_cols)]
                out[first:last][invalid] = np.nan

        if out.size < _MIN_THREADED:
            work(0, len(rows))
        else:
            for_row_blocks(len(rows), work, _ROWS_PER_BLOCK, _ROWS_PER_BLOCK)
        return out

    def _cell_centres(
        self, height: int, width: int
    ) -> tuple[Float64[np.ndarray, " height"], Float64[np.ndarray, " width"]]:
        """Scene rows and columns of the cell centres of a grid over the scene."""
        rows = (np.arange(height) + 0.5) * (self.height / height)
        return rows, (np.arange(width) + 0.5) * (self.width / width)

    def display_values(self) -> UInt8[np.ndarray, "h w"]:
        """`score` as 0-255 between `low` and `high`; invalid cells are 0."""
        return self.to_display(self.score)

    def to_display(self, score: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
        """Scores as 0-255 between `low` and `high`; NaN is 0."""
        return self.colour_scale(stretch=True).values(score)

    def preview(
        self, max_side: int = 1024, scale: ColourScale | None = None
    ) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"], list[list[float]] | None]:
        """One image of the map for a web map, with the coordinates of its corners.

        Args:
            max_side: longest side of the image in pixels.
            scale: scores of the values 0 and 255; default `low` and `high`.

        Returns:
            Values 0-255 on the scale; alpha, 255 where valid and else 0; [lon, lat] of
            the image's corners ul, ur, lr, ll. With a georeference the image is warped to Web
            Mercator, so that a MapLibre image source with these corners is placed exactly. Without
            one the image is the map in pixel space and the corners are None.
        """
        image, valid, corners = to_mercator(
            (scale or self.colour_scale(stretch=True)).values(self.score)[..., None],
            self.valid,
            self.grid,
            max_side,
        )
        return image[..., 0], np.where(valid, np.uint8(255), np.uint8(0)), corners

    def to_xarray(self) -> "DataArray":
        """Convert `score` to a float32 DataArray with dimensions y and x; NaN is invalid.

        The coordinates are those of the cell centres in the CRS, which the accessor `rio` knows:
        `array.rio.crs`, `array.rio.to_raster("map.tif")`. On a rotated grid, on one placed by a
        polynomial, and without a CRS, they are rows and columns of the scene; the transform or the
        control points are written nevertheless. The attributes are query, encoder, method and
        scene.

        Raises:
            MissingExtraError: rioxarray is not installed.
        """
        from terraseek.localization.output.data_array import scores_array

        attributes = {
            "long_name": "cosine of window and query",
            "query": self.query,
            "encoder": self.encoder_id,
            "method": self.method,
            "scene": self.scene_name,
        }
        return scores_array(self.score, self.georef, attributes)

    def add_to(self, leafmap_map: Any, opacity: float = 0.7) -> Any:  # noqa: ANN401 - no types
        """Add the map as a layer to a leafmap map and fit the view to the scene.

        The colours are those of `colour_scale`; invalid pixels are transparent.

        Args:
            leafmap_map: a `leafmap.maplibregl.Map`, for example from `SearchResult.explore`.
            opacity: of the layer, 0 to 1.

        Returns:
            `leafmap_map`.

        Raises:
            OutsideSceneError: the scene has no georeference, so it has no place on a map.
        """
        from terraseek.localization.output.map_layer import add_image_layer

        scale = self.colour_scale()
        values, alpha, corners = self.preview(scale=scale)
        if corners is None:
            raise OutsideSceneError(
                f"{self.scene_name} has no georeference, so that its heat map has no place on a "
                "map; show the heat map itself, or use terraseek.localization.overlay"
            )
        name = f"{self.query} in {self.scene_name}"
        add_image_layer(leafmap_map, name, scale.painted(values, alpha), corners, opacity)
        return leafmap_map
