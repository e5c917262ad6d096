"""Black collar around rotated or clipped scenes whose file declares no nodata value.

If the collar counted as valid, its windows would be the darkest and most uniform of the scene and
match some sentences best.
"""

import numpy as np
from jaxtyping import Bool, Shaped

from terraseek.scenes.raster_reader import PixelWindow

__all__ = ["find_collar", "outside_collar"]

_MAX_BLACK = 4
"""8-bit values up to this count as black, because JPEG compression changes zeros slightly."""
_MIN_SHARE = 0.02
_MAX_SHARE = 0.98


def find_collar(
    values: Shaped[np.ndarray, "bands h w"], valid: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"] | None:
    """Find black pixels connected to the edge; None unless they are 2 to 98 % of the scene.

    Black means at most 4 in all bands of 8-bit data, and exactly 0 in other types. A dark lake in
    the scene stays valid, because it does not touch the edge.
    """
    import scipy.ndimage

    highest = _MAX_BLACK if values.dtype == np.uint8 else 0
    black = np.all((values >= 0) & (values <= highest), axis=0) & valid
    if not _MIN_SHARE <= black.mean() <= _MAX_SHARE:
        return None
    labels, _ = scipy.ndimage.label(black)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    collar: Bool[np.ndarray, "h w"] = np.isin(labels, np.unique(edge[edge > 0]))
    return collar if collar.mean() >= _MIN_SHARE else None


def outside_collar(
    collar: Bool[np.ndarray, "h w"],
    window: PixelWindow,
    scene_size: tuple[int, int],
    size: tuple[int, int],
) -> Bool[np.ndarray, "h2 w2"]:
    """Mask of the pixels of a window that are not in the collar (nearest neighbour).

    Args:
        collar: mask of the collar on a reduced image of the whole scene.
        window: the window, in pixels of the scene.
        scene_size: (height, width) of the scene.
        size: (height, width) at which the window is read.
    """
    row0, col0, row1, col1 = window
    rows = row0 + (np.arange(size[0]) + 0.5) * ((row1 - row0) / size[0])
    cols = col0 + (np.arange(size[1]) + 0.5) * ((col1 - col0) / size[1])
    near_rows = (rows * collar.shape[0] / scene_size[0]).astype(int)
    near_cols = (cols * collar.shape[1] / scene_size[1]).astype(int)
    outside: Bool[np.ndarray, "h2 w2"] = ~collar[np.ix_(near_rows, near_cols)]
    return outside
