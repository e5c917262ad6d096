"""Token features of open_clip models beside their pooled ones."""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from terraseek.errors import ConfigError

__all__ = ["image_tokens", "text_tokens"]


def image_tokens(
    model: Any,  # noqa: ANN401 - open_clip has no types
    pixels: Float[Tensor, "b 3 height width"],
) -> tuple[Float[Tensor, "b dim"], Float[Tensor, "b patches dim"]]:
    """Pooled feature and projected patch tokens of each picture, any length (EBAKER, section 3.1).

    Patch tokens pass the final layer norm and the projection, like the class token. Of a
    convolutional timm tower, the cells of its last map pass the projection; with average pooling
    their mean is the pooled feature.

    Raises:
        ConfigError: the picture tower is of another kind.
    """
    visual = model.visual
    if hasattr(visual, "trunk"):
        return _map_tokens(visual, pixels)
    if not hasattr(visual, "transformer"):
        raise ConfigError(f"no tokens are known of a picture tower of kind {type(visual).__name__}")
    last = len(visual.transformer.resblocks) - 1
    found = visual.forward_intermediates(
        pixels, indices=[last], normalize_intermediates=True, output_fmt="NLC"
    )
    return found["image_features"], found["image_intermediates"][0] @ visual.proj


def _map_tokens(
    visual: Any,  # noqa: ANN401
    pixels: Float[Tensor, "b 3 height width"],
) -> tuple[Float[Tensor, "b dim"], Float[Tensor, "b cells dim"]]:
    trunk = visual.trunk
    cells = trunk.forward_features(pixels)
    if cells.ndim != 4 or cells.shape[1] != trunk.num_features:
        raise ConfigError(f"the timm tower {type(trunk).__name__} gives no channel-first map")
    return visual.head(trunk.forward_head(cells)), visual.head(cells.flatten(2).mT)


def text_tokens(
    model: Any,  # noqa: ANN401
    tokens: Int[Tensor, "t context"],
) -> tuple[Float[Tensor, "t dim"], Float[Tensor, "t context dim"]]:
    """Pooled feature and projected tokens of each sentence, any length.

    All positions are given, start, end and padding included, as released; `tokens != 0` tells which
    are real.
    """
    tower = getattr(model, "text", model)
    last = len(tower.transformer.resblocks) - 1
    if tower is model:
        found = model.forward_intermediates(
            text=tokens, text_indices=[last], normalize=False, normalize_intermediates=True
        )
    else:
        found = tower.forward_intermediates(
            tokens, indices=[last], normalize_intermediates=True, output_fmt="NLC"
        )
    projection = tower.text_projection
    local = found["text_intermediates"][0]
    linear = isinstance(projection, nn.Linear)
    return found["text_features"], projection(local) if linear else local @ projection
