"""Token features of models, beside the pooled features.

All functions take captions at full context length, or trimmed by `trim_caption_padding`.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from terraseek.encoders.nets.text_tower import (
    end_token_states,
    hidden_states,
    is_causal,
    project_text,
    text_tower,
    trim_padding,
)
from terraseek.errors import ConfigError
from terraseek_train.peft import reads_padding

__all__ = [
    "caption_sequence",
    "image_tokens",
    "joint_width",
    "text_tokens",
    "trim_caption_padding",
    "visual_tokens",
]


def image_tokens(
    model: Any,  # noqa: ANN401 - open_clip has no types
    pixels: Float[Tensor, "b 3 height width"],
) -> tuple[Float[Tensor, "b dim"], Float[Tensor, "b patches dim"]]:
    """Pooled feature and projected patch tokens of each image, any length (EBAKER, section 3.1).

    Raises:
        ConfigError: the image tower is of an unknown kind.
    """
    return visual_tokens(model.visual, pixels)


def visual_tokens(
    visual: Any,  # noqa: ANN401
    pixels: Float[Tensor, "b 3 height width"],
) -> tuple[Float[Tensor, "b dim"], Float[Tensor, "b patches dim"]]:
    """Pooled feature and projected patch tokens, as `image_tokens`, from an image tower alone.

    Patch tokens pass the final layer norm and the projection, like the class token. For a timm
    tower the tokens are the cells of its last feature map (convolutional, or Swin), or its patch
    tokens (ViT), projected; with average pooling and a linear projection their mean is the pooled
    feature. Those of `LiteClip` pass its head, which is not linear, and are unit vectors.

    Raises:
        ConfigError: the image tower is of an unknown kind.
    """
    if hasattr(visual, "trunk"):
        return _timm_tokens(visual, pixels)
    if not hasattr(visual, "transformer"):
        raise ConfigError(f"no tokens are known of an image tower of kind {type(visual).__name__}")
    last = len(visual.transformer.resblocks) - 1
    found = visual.forward_intermediates(
        pixels, indices=[last], normalize_intermediates=True, output_fmt="NLC"
    )
    return found["image_features"], found["image_intermediates"][0] @ visual.proj


def _timm_tokens(
    visual: Any,  # noqa: ANN401
    pixels: Float[Tensor, "b 3 height width"],
) -> tuple[Float[Tensor, "b dim"], Float[Tensor, "b cells dim"]]:
    trunk = visual.trunk
    states = trunk.forward_features(pixels)
    width = trunk.num_features
    if states.ndim == 4 and getattr(trunk, "output_fmt", "NCHW") == "NHWC":
        cells = states.flatten(1, 2)
    elif states.ndim == 4 and states.shape[1] == width:
        cells = states.flatten(2).mT
    elif states.ndim == 3 and states.shape[2] == width:
        cells = states[:, trunk.num_prefix_tokens :]
    else:
        raise ConfigError(
            f"the timm tower {type(trunk).__name__} gives neither a feature map nor tokens"
        )
    return visual.head(trunk.forward_head(states)), visual.head(cells)


def trim_caption_padding(
    model: Any,  # noqa: ANN401
    tokens: Int[Tensor, "t context"],
) -> Int[Tensor, "t length"]:
    """Remove the columns that are padding in every caption, where padding has no effect.

    Nothing is removed if text attention reads padding, or under UniPELT, whose gates average over
    padding too.
    """
    if reads_padding(model):
        return tokens
    return trim_padding(text_tower(model), tokens)


def text_tokens(
    model: Any,  # noqa: ANN401
    tokens: Int[Tensor, "t length"],
) -> tuple[Float[Tensor, "t dim"], Float[Tensor, "t length dim"]]:
    """Pooled feature and projected tokens of each caption, any length (EBAKER, section 3.1).

    All positions are returned, with start, end and padding, as in the released code; `tokens != 0`
    are those that are not padding.

    Raises:
        ConfigError: the text tower is of an unknown kind.
    """
    tower = text_tower(model)
    if is_causal(tower):
        local = project_text(tower, hidden_states(tower, tower.token_embedding(tokens)))
        return end_token_states(local, tokens), local
    if hasattr(tower, "pooled_and_tokens"):  # BERT and MiniLM
        pooled, local = tower.pooled_and_tokens(tokens)
        return pooled, local
    if not hasattr(tower, "forward_intermediates"):
        raise ConfigError(f"no tokens are known of a text tower of kind {type(tower).__name__}")
    last = [len(tower.transformer.resblocks) - 1]
    if tower is model:
        found = model.forward_intermediates(
            text=tokens, text_indices=last, normalize=False, normalize_intermediates=True
        )
    else:
        found = tower.forward_intermediates(
            tokens, indices=last, normalize_intermediates=True, output_fmt="NLC"
        )
    return found["text_features"], project_text(tower, found["text_intermediates"][0])


def caption_sequence(
    model: Any,  # noqa: ANN401
    tokens: Int[Tensor, "t length"],
) -> tuple[Float[Tensor, "t n dim"], Int[Tensor, " t"], Bool[Tensor, "t n"]]:
    """Tokens of captions in which one stands for the caption, as Temporal-PAE reads them.

    This is the end token of CLIP and the first of BERT. A tower that averages its tokens (MiniLM)
    has none, so its pooled feature is put before the tokens, as the mean of the cells is before
    those of an image.

    Returns:
        The projected tokens, the position of the pooled one, and which are no padding.
    """
    pooled, words = text_tokens(model, tokens)
    tower, used = text_tower(model), tokens != 0
    if is_causal(tower):
        return words, tokens.argmax(dim=1), used
    first = torch.zeros(len(tokens), dtype=torch.long, device=tokens.device)
    if getattr(tower, "averages_tokens", False):
        words = torch.cat([pooled[:, None], words], dim=1)
        used = torch.cat([torch.ones_like(used[:, :1]), used], dim=1)
    return words, first, used


def joint_width(model: Any) -> int:  # noqa: ANN401
    """Dimensions of the vectors of a model."""
    tower = text_tower(model)
    if (projection := getattr(tower, "text_projection", None)) is None:
        return int(tower.output_dim)
    is_linear = isinstance(projection, nn.Linear)
    return int(projection.out_features if is_linear else projection.shape[1])
