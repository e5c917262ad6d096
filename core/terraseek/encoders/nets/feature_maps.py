"""Feature maps of image towers: many local vectors of a large block from one forward pass.

Three kinds of tower are supported, each with its own way to vectors of the joint embedding space:

* Average pooling (timm's convolutional networks): the feature cells as they are. The mean over a
  window's cells, passed through the layers after the pooling, is the window's vector except for
  border effects: a single window is padded with zeros, a block contains its surroundings. That the
  pooling is an average is checked when the tower is loaded.
* Attention pooling (CLIP's ResNets): value and output projection of each cell, which equals the
  pooling with all attention on that cell (Zhou et al., "Extract Free Dense Labels from CLIP",
  2022).
* Vision transformers: in the last block, attention between queries and queries, without residual
  connection and feed-forward part (Lan et al., "ClearCLIP", 2024). Position embeddings are
  interpolated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from terraseek.encoders.dense_tower import DenseKind

__all__ = ["TowerFeatureMap", "tower_feature_map"]

_CONVOLUTION_BLOCK, _TRANSFORMER_BLOCK = 4, 2
"""Block side in multiples of the image side; attention cost grows with the squared block area."""
_TOLERANCE = 1e-3
"""Largest relative difference between pooled cells and the tower's own output."""


@dataclass(frozen=True, eq=False)
class TowerFeatureMap:
    """The feature map of a network: functions on normalised tensors."""

    kind: DenseKind
    side: int
    """Side of an input block in pixels."""
    cell: int
    """Side of a feature cell in pixels."""
    channels: int
    """Number of channels of a cell."""
    run: Callable[[Tensor], Tensor]
    """Map normalised pixels [n, 3, side, side] to cells [n, side / cell, side / cell, channels]."""
    project: Callable[[Tensor], Tensor] = lambda means: means
    """Map means of cells [n, channels] to vectors [n, dim]."""


def tower_feature_map(tower: nn.Module, side: int) -> TowerFeatureMap | None:
    """Return the feature map of an open_clip image tower; None if it is of none of the three kinds.

    Args:
        tower: in evaluation mode.
        side: of its input squares in pixels.
    """
    visual: Any = tower
    if hasattr(visual, "trunk") and hasattr(visual, "head"):
        return _average(visual, side)
    if hasattr(visual, "attnpool") and hasattr(visual, "layer4"):
        cell = side // round((visual.attnpool.positional_embedding.shape[0] - 1) ** 0.5)
        dim, block = visual.attnpool.c_proj.out_features, _CONVOLUTION_BLOCK * side
        return TowerFeatureMap("values", block, cell, dim, partial(_project_values, visual))
    if hasattr(visual, "transformer") and getattr(visual, "attn_pool", 0) is None:
        cell, block = int(visual.patch_size[0]), _TRANSFORMER_BLOCK * side
        if visual.proj is None or visual.pool_type != "tok" or side % cell:
            return None
        dim = visual.proj.shape[1]
        return TowerFeatureMap(
            "self-attention", block, cell, dim, partial(_query_attention, visual)
        )
    return None


def _average(visual: Any, side: int) -> TowerFeatureMap | None:  # noqa: ANN401 - open_clip has no types
    """Average pooling; None if the projected mean of the cells differs from the tower's output."""

    run = _Cells(visual.trunk)

    def project(means: Tensor) -> Tensor:
        # the mean of one cell is that cell, so the network's own pooling and head can be used
        out: Tensor = visual.head(visual.trunk.forward_head(means[:, :, None, None]))
        return out

    probe = next(visual.parameters())
    noise = torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(0))
    noise = noise.to(probe.device, probe.dtype)
    with torch.inference_mode():
        try:
            grid = run(noise)
            expected, projected = visual(noise), project(grid.mean(dim=(1, 2)))
        # the output is tokens, or the input size is fixed
        except (RuntimeError, AttributeError, AssertionError):
            return None
    if grid.shape[1] != grid.shape[2] or side % grid.shape[1]:
        return None
    if float((projected - expected).abs().max() / expected.abs().max()) > _TOLERANCE:
        return None
    cell, block = side // int(grid.shape[1]), _CONVOLUTION_BLOCK * side
    return TowerFeatureMap("average", block, cell, int(grid.shape[3]), run, project)


class _Cells(nn.Module):
    """The feature map of one of timm's networks, channels last."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk: Any = trunk

    def forward(self, pixels: Tensor) -> Tensor:
        grid: Tensor = self.trunk.forward_features(pixels)
        return grid.permute(0, 2, 3, 1)


def _project_values(visual: Any, pixels: Tensor) -> Tensor:  # noqa: ANN401
    """Run CLIP's ResNet with value and output projection instead of its attention pooling."""
    grid = visual.stem(pixels)
    for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        grid = layer(grid)
    out: Tensor = visual.attnpool.c_proj(visual.attnpool.v_proj(grid.permute(0, 2, 3, 1)))
    return out


def _query_attention(visual: Any, pixels: Tensor) -> Tensor:  # noqa: ANN401
    """Run a vision transformer whose last block compares queries with queries."""
    patches = visual.conv1(pixels)
    count, width, rows, cols = patches.shape
    tokens = patches.flatten(2).transpose(1, 2) + _positions(visual, rows, cols)
    first = visual.class_embedding + visual.positional_embedding[0]
    tokens = visual.ln_pre(_prepend(first.to(tokens.dtype), tokens))
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        tokens = block(tokens)
    attention = last.attn
    projected = functional.linear(
        last.ln_1(tokens)[:, 1:], attention.in_proj_weight, attention.in_proj_bias
    )
    heads = projected.view(count, rows * cols, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, value = heads[0], heads[2]
    mixed = functional.scaled_dot_product_attention(query, query, value)
    mixed = attention.out_proj(mixed.transpose(1, 2).reshape(count, rows * cols, width))
    out: Tensor = (visual.ln_post(mixed) @ visual.proj).view(count, rows, cols, -1)
    return out


def _positions(visual: Any, rows: int, cols: int) -> Tensor:  # noqa: ANN401
    """Position embeddings [1, rows * cols, width], interpolated to another grid."""
    across, down = visual.grid_size[1], visual.grid_size[0]
    grid = visual.positional_embedding[1:].view(1, down, across, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, (rows, cols), mode="bicubic", align_corners=False)
    out: Tensor = grid.flatten(2).transpose(1, 2)
    return out


def _prepend(first: Tensor, tokens: Tensor) -> Tensor:
    return torch.cat([first.expand(len(tokens), 1, -1), tokens], dim=1)
