"""Position embeddings of LongCLIP (Zhang et al. 2024, arXiv 2403.15378), for texts of 248 tokens.

LongCLIP keeps CLIP's first 20 positions, which short captions have trained well, and stretches the
other 57 to 228 (section 3.2). Its weights files hold two tables of 248 rows: the stretched one, of
which only the first 20 rows are used, and the one that was trained, of which the others are used.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from terraseek.errors import ConfigError, WeightsLayoutError

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

__all__ = ["KEPT_POSITIONS", "merge_position_tables", "stretch_positions"]

KEPT_POSITIONS = 20
"""Positions LongCLIP leaves as they are."""
_TABLE, _TRAINED = "positional_embedding", "positional_embedding_res"


def stretch_positions(
    positions: "Float[Tensor, 'n width']", length: int, keep: int = KEPT_POSITIONS
) -> "Float[Tensor, 'length width']":
    """Interpolate position embeddings linearly to `length` rows, all but the first `keep`.

    The last rows, beyond the last known position, continue the line through the last two. With 77
    rows and length 248 this is `load_from_clip` of LongCLIP, whose step is a quarter.

    Args:
        positions: table of the text tower.
        length: rows wanted, more than there are.
        keep: leading rows that stay the same.

    Raises:
        ConfigError: fewer than two rows remain to stretch, or the table would not grow.
    """
    n = len(positions)
    if n < keep + 2 or length <= n:
        raise ConfigError(
            f"{n} position embeddings cannot be stretched to {length} with the first {keep} kept; "
            f"it takes at least {keep + 2}, and a length above {n}"
        )
    step = (n - keep) / (length - keep)
    old = keep + step * torch.arange(length - keep, dtype=torch.float64)
    lower = old.floor().long().clamp(max=n - 2)
    share = (old - lower).to(positions.dtype)[:, None]
    below, above = positions[lower], positions[lower + 1]
    return torch.cat([positions[:keep], below + share * (above - below)])


def merge_position_tables(state: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Replace the two position tables of a LongCLIP weights file by the one the tower reads.

    A state without the second table is returned as it is.

    Raises:
        WeightsLayoutError: the tables differ in shape, or the first one is missing.
    """
    merged = dict(state)
    for key in [key for key in state if key.rsplit(".", 1)[-1] == _TRAINED]:
        name = key.removesuffix(_TRAINED) + _TABLE
        trained, kept = merged.pop(key), merged.get(name)
        if kept is None or kept.shape != trained.shape:
            found = "missing" if kept is None else f"of shape {tuple(kept.shape)}"
            raise WeightsLayoutError(
                f"weights in LongCLIP's layout hold {name} and {key} of one shape, but {key} has "
                f"{tuple(trained.shape)} and {name} is {found}; the file is incomplete"
            )
        merged[name] = torch.cat([kept[:KEPT_POSITIONS], trained[KEPT_POSITIONS:]])
    return merged
