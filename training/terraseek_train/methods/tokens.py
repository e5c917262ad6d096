"""Token features of open_clip models, beside the pooled features.

All functions take captions at full context length, or trimmed by `trim_caption_padding`.
"""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

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

__all__ = ["image_tokens", "text_tokens", "trim_caption_padding", "visual_tokens"]


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
    tokens (ViT), projected; with average pooling their mean is the pooled feature.

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
    if hasattr(tower, "token_features"):  # BERT, whose pooled token is the first
        local = tower.token_features(tokens)
        return local[:, 0], local
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
