"""The black frame around turned or clipped scenes whose file declares no nodata.

Left in, it is the darkest and most uniform thing of the scene, and some sentence always fits it.
"""

import numpy as np
from jaxtyping import Bool, Shaped

__all__ = ["find_collar"]

_BLACK = 4
"""8-bit values up to this count as black: JPEG leaves ripples in what was 0."""
_SMALLEST_SHARE = 0.02
_LARGEST_SHARE = 0.98


def find_collar(
    values: Shaped[np.ndarray, "bands h w"], valid: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"] | None:
    """Black pixels connected to the edge, if they are 2 to 98 % of the scene; else None.

    8-bit values up to 4, and exact zeros of other types, in all bands. A dark lake inside the
    scene stays valid, since it does not touch the edge.
    """
    import scipy.ndimage

    highest = _BLACK if values.dtype == np.uint8 else 0
    black = np.all((values >= 0) & (values <= highest), axis=0) & valid
    if not _SMALLEST_SHARE <= black.mean() <= _LARGEST_SHARE:
        return None
    labels, _ = scipy.ndimage.label(black)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    collar: Bool[np.ndarray, "h w"] = np.isin(labels, np.unique(edge[edge > 0]))
    return collar if collar.mean() >= _SMALLEST_SHARE else None
