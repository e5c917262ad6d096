"""Web Mercator tiles of the catalogue's images, each warped into its footprint."""

import io
import logging
import math

import numpy as np
from jaxtyping import Bool, Float64, UInt8
from PIL import Image

from terraseek.catalogue import Catalogue
from terraseek.catalogue.images import RASTER_SUFFIXES
from terraseek.errors import TerraSeekError
from terraseek.geo import tile_bounds
from terraseek.tiles.byte_cache import ByteCache
from terraseek.tiles.footprints import FootprintIndex, mercator
from terraseek.tiles.scene_tiles import TILE_SIDE, is_located, scene_tile_pixels

__all__ = ["ItemTiles"]

_log = logging.getLogger(__name__)

_MAX_IMAGES = 200
"""Images read for one tile; a full mosaic of the smallest drawn footprints has about 110."""
_MIN_SIDE, _MAX_SIDE = 32, 4096
"""Longer side in pixels at which images are read, a power of two."""
_PIXELS_FROM = 4.0
"""Enlargement from which the pixels of an image are drawn as squares, not interpolated."""
_IMAGE_BYTES = 96 << 20
_TILE_BYTES = 64 << 20

_Pixels = tuple[UInt8[np.ndarray, "side side 3"], Bool[np.ndarray, "side side"]]


class ItemTiles:
    """Draws tiles of a catalogue; images and tiles are cached within fixed bounds."""

    def __init__(self, catalogue: Catalogue, footprints: FootprintIndex) -> None:
        """Wrap a catalogue and its footprints."""
        self.footprints = footprints
        """Where the images lie."""
        self._catalogue = catalogue
        self._images: ByteCache[UInt8[np.ndarray, "h w 3"]] = ByteCache(_IMAGE_BYTES)
        self._tiles: ByteCache[bytes | None] = ByteCache(_TILE_BYTES)

    def tile(self, z: int, x: int, y: int, row: int | None = None) -> bytes | None:
        """WebP (RGBA, 256 pixels) of tile z/x/y (XYZ scheme).

        Images are drawn from the top: small footprints above large ones, later items above earlier,
        until the tile is full. An image that cannot be read leaves a gap.

        Args:
            z: zoom.
            x: column.
            y: row, from the north.
            row: draw only the item in this row of the catalogue.

        Returns:
            The image; None where no footprint is, or all are too small to be drawn.

        Raises:
            BBoxError: there is no such tile.
        """
        tile_bounds(x, y, z)
        return self._tiles.get_or_make((z, x, y, row), lambda: self._draw(z, x, y, row))

    def _draw(self, z: int, x: int, y: int, row: int | None) -> bytes | None:
        rows = [row] if row is not None else self.footprints.in_tile(z, x, y).tolist()
        canvas = np.zeros((TILE_SIDE, TILE_SIDE, 3), np.uint8)
        covered = np.zeros((TILE_SIDE, TILE_SIDE), bool)
        n_read = 0
        for one in rows:
            quad = self._quad(one, z, x, y)
            if quad is None or not _is_uncovered(quad, covered):
                continue
            pixels = self._item_pixels(one, quad, z, x, y)
            n_read += 1
            if pixels is not None:
                image, visible = pixels
                fresh = visible & ~covered
                canvas[fresh] = image[fresh]
                covered |= visible
            if n_read >= _MAX_IMAGES or covered.all():
                break
        return _webp(canvas, covered) if covered.any() else None

    def _quad(self, row: int, z: int, x: int, y: int) -> Float64[np.ndarray, "4 2"] | None:
        """Corners of an item in pixels of a tile; None without a footprint."""
        corners = self.footprints.corners(row)
        if corners is None:
            return None
        quad = mercator(corners)
        quad[:, 0] += round((x + 0.5) / 2**z - float(quad[:, 0].mean()))  # on this side of 180
        return np.asarray((quad * 2**z - (x, y)) * TILE_SIDE)

    def _item_pixels(
        self, row: int, quad: Float64[np.ndarray, "4 2"], z: int, x: int, y: int
    ) -> _Pixels | None:
        """Pixels of an item on the tile, and where it has any; None if it cannot be read."""
        item_id = self._catalogue.item_ids[row].decode()
        try:
            ref = self._catalogue.image_ref(item_id)
            if ref.suffix in RASTER_SUFFIXES and not ref.member and is_located(ref.file):
                return scene_tile_pixels(ref.file, z, x, y)
            side = _read_side(quad)
            image = self._images.get_or_make(
                (item_id, side), lambda: self._catalogue.read_image(item_id, side)
            )
        except (TerraSeekError, OSError) as error:
            _log.warning("item %s is missing on the map: %s", item_id, error)
            return None
        return _warp(image, quad)


def _is_uncovered(quad: Float64[np.ndarray, "4 2"], covered: Bool[np.ndarray, "h w"]) -> bool:
    """Whether a footprint meets a pixel of the tile that nothing covers yet."""
    if quad.max(axis=0).min() < 0 or quad.min(axis=0).max() > TILE_SIDE:
        return False
    import cv2

    mask = np.zeros(covered.shape, np.uint8)
    limited = np.clip(quad, -16 * TILE_SIDE, 17 * TILE_SIDE)  # cv2 draws with 32-bit numbers
    cv2.fillConvexPoly(mask, np.round(limited * 16).astype(np.int32), 1, shift=4)
    inside = mask.astype(bool) if np.array_equal(limited, quad) else np.ones(covered.shape, bool)
    return bool(np.any(inside & ~covered))


def _read_side(quad: Float64[np.ndarray, "4 2"]) -> int:
    """Longer side at which an image is read: at least that of its footprint on the tile."""
    edges = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)
    power = math.ceil(math.log2(max(float(edges.max()), 1.0)))
    return int(min(max(2**power, _MIN_SIDE), _MAX_SIDE))


def _warp(image: UInt8[np.ndarray, "h w 3"], quad: Float64[np.ndarray, "4 2"]) -> _Pixels:
    """The image drawn into four corners in pixels of the tile."""
    import cv2

    height, width = image.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - 0.5
    matrix = cv2.getPerspectiveTransform(source.astype(np.float32), (quad - 0.5).astype(np.float32))
    edges = np.hypot(*(np.roll(quad, -1, axis=0) - quad).T)
    squares = float(edges.max()) >= _PIXELS_FROM * max(height, width)
    size = (TILE_SIDE, TILE_SIDE)
    flags = cv2.INTER_NEAREST if squares else cv2.INTER_LINEAR
    warped = cv2.warpPerspective(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpPerspective(
        np.ones((height, width), np.uint8), matrix, size, flags=cv2.INTER_NEAREST
    )
    return np.asarray(warped, np.uint8), np.asarray(inside, bool)


def _webp(canvas: UInt8[np.ndarray, "h w 3"], covered: Bool[np.ndarray, "h w"]) -> bytes:
    alpha = np.where(covered, np.uint8(255), np.uint8(0))
    out = io.BytesIO()
    Image.fromarray(np.dstack([canvas, alpha])).save(out, "WEBP", quality=82, method=2)
    return out.getvalue()
