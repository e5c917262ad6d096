"""An image tower before its pooling: many vectors of a large block from one pass.

Three kinds of tower, each with its own way to vectors in the space of the sentences:

* Average pooling (timm's convolution networks): the cells as they are. The mean over a window's
  cells, sent through what follows the pooling, is the window's vector but for the window's border:
  where a window by itself sees zeros, the block sees the ground beyond. Checked when it is made.
* Attention pooling (CLIP's ResNets): value and output projection at each cell, which is the pooling
  with all attention on that cell (Zhou et al., "Extract Free Dense Labels from CLIP", 2022).
* Vision transformers: in the last block attention between alike queries, no residual and no
  feed-forward part (Lan et al., "ClearCLIP", 2024). Position embeddings are interpolated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float32, UInt8

if TYPE_CHECKING:
    import torch

__all__ = ["DenseKind", "DenseTower", "TowerCells", "box_of", "tower_cells"]

DenseKind = Literal["average", "values", "self-attention"]

_CONVOLUTION_BLOCK, _TRANSFORMER_BLOCK = 4, 2
"""Sides of a block in sides of an image; attention costs the square of a block's area."""
_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class DenseTower:
    """An encoder's way from blocks of pixels to cells."""

    kind: DenseKind
    side: int
    """Pixels of the square blocks it takes."""
    cell: int
    """Pixels a cell covers along each side; divides `side` and the side of an image."""
    box: int
    """Cells along the square whose mean is a window's vector; see `box_of`."""
    channels: int
    """Numbers of a cell."""
    cells: Callable[[UInt8[np.ndarray, "n side side 3"]], Float32[np.ndarray, "n grid grid c"]]
    """Cells of RGB blocks; their mean over an area says what it shows."""
    project: Callable[[Float32[np.ndarray, "n c"]], Float32[np.ndarray, "n dim"]]
    """From means of cells to vectors of any length, in the space of the sentences."""


@dataclass(frozen=True, eq=False)
class TowerCells:
    """The same for a network alone."""

    kind: DenseKind
    side: int
    """Pixels of a block."""
    cell: int
    """Pixels of a cell."""
    channels: int
    """Numbers of a cell."""
    run: Callable[["torch.Tensor"], "torch.Tensor"]
    """Normalised pixels [n, 3, side, side] to cells [n, side / cell, side / cell, channels]."""
    project: Callable[["torch.Tensor"], "torch.Tensor"] = lambda means: means
    """Means of cells [n, channels] to vectors [n, dim]."""


def box_of(cells: int) -> int:
    """Side in cells of the square that stands for a window of `cells` cells: half of it.

    A cell sees more than its own ground, so the mean over all cells of a window says what lies
    around the window rather than in it. Measured on outlined aircraft, see docs/localization.md.
    """
    return max(1, cells // 2)


def tower_cells(tower: "torch.nn.Module", side: int) -> TowerCells | None:
    """The cells of an open_clip image tower; None where it has none of the three kinds.

    Args:
        tower: in evaluation mode.
        side: pixels of the images it was made for.
    """
    visual: Any = tower
    if hasattr(visual, "trunk") and hasattr(visual, "head"):
        return _average(visual, side)
    if hasattr(visual, "attnpool") and hasattr(visual, "layer4"):
        cell = side // round((visual.attnpool.positional_embedding.shape[0] - 1) ** 0.5)
        dim, block = visual.attnpool.c_proj.out_features, _CONVOLUTION_BLOCK * side
        return TowerCells("values", block, cell, dim, partial(_values, visual))
    if hasattr(visual, "transformer") and getattr(visual, "attn_pool", 0) is None:
        cell, block = int(visual.patch_size[0]), _TRANSFORMER_BLOCK * side
        if visual.proj is None or visual.pool_type != "tok" or side % cell:
            return None
        dim = visual.proj.shape[1]
        return TowerCells("self-attention", block, cell, dim, partial(_queries, visual))
    return None


def _average(visual: Any, side: int) -> TowerCells | None:  # noqa: ANN401 - open_clip has no types
    """None where the mean of the cells, sent through the rest, is not what the tower gives."""
    import torch

    def run(pixels: "torch.Tensor") -> "torch.Tensor":
        grid: torch.Tensor = visual.trunk.forward_features(pixels).permute(0, 2, 3, 1)
        return grid

    def project(means: "torch.Tensor") -> "torch.Tensor":
        # pooling one cell changes nothing, so the network's own head does the rest
        out: torch.Tensor = visual.head(visual.trunk.forward_head(means[:, :, None, None]))
        return out

    probe = next(visual.parameters())
    noise = torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(0))
    noise = noise.to(probe.device, probe.dtype)
    with torch.inference_mode():
        try:
            grid = run(noise)
            whole, again = visual(noise), project(grid.mean(dim=(1, 2)))
        except (RuntimeError, AttributeError, AssertionError):  # tokens, or a fixed size
            return None
    if grid.shape[1] != grid.shape[2] or side % grid.shape[1]:
        return None
    if float((again - whole).abs().max() / whole.abs().max()) > _TOLERANCE:
        return None
    cell, block = side // int(grid.shape[1]), _CONVOLUTION_BLOCK * side
    return TowerCells("average", block, cell, int(grid.shape[3]), run, project)


def _values(visual: Any, pixels: "torch.Tensor") -> "torch.Tensor":  # noqa: ANN401
    """CLIP's ResNet with value and output projection in place of its attention pooling."""
    grid = visual.stem(pixels)
    for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        grid = layer(grid)
    out: torch.Tensor = visual.attnpool.c_proj(visual.attnpool.v_proj(grid.permute(0, 2, 3, 1)))
    return out


def _queries(visual: Any, pixels: "torch.Tensor") -> "torch.Tensor":  # noqa: ANN401
    """A vision transformer whose last block lets each patch attend to patches with its query."""
    from torch.nn import functional

    patches = visual.conv1(pixels)
    count, width, rows, cols = patches.shape
    tokens = patches.flatten(2).transpose(1, 2) + _positions(visual, rows, cols)
    first = visual.class_embedding + visual.positional_embedding[0]
    tokens = visual.ln_pre(_with_first(first.to(tokens.dtype), tokens))
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        tokens = block(tokens)
    attention = last.attn
    mixed = functional.linear(
        last.ln_1(tokens)[:, 1:], attention.in_proj_weight, attention.in_proj_bias
    )
    heads = mixed.view(count, rows * cols, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, value = heads[0], heads[2]
    joined = functional.scaled_dot_product_attention(query, query, value)
    joined = attention.out_proj(joined.transpose(1, 2).reshape(count, rows * cols, width))
    out: torch.Tensor = (visual.ln_post(joined) @ visual.proj).view(count, rows, cols, -1)
    return out


def _positions(visual: Any, rows: int, cols: int) -> "torch.Tensor":  # noqa: ANN401
    from torch.nn import functional

    across, down = visual.grid_size[1], visual.grid_size[0]
    grid = visual.positional_embedding[1:].view(1, down, across, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, (rows, cols), mode="bicubic", align_corners=False)
    out: torch.Tensor = grid.flatten(2).transpose(1, 2)
    return out


def _with_first(first: "torch.Tensor", tokens: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.cat([first.expand(len(tokens), 1, -1), tokens], dim=1)
