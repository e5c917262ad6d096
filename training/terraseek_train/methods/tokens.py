"""Token features of open_clip models beside their pooled ones.

All functions here take sentences whose common padding was cut off (`shortened`), or whole ones.
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
from terraseek_train.peft import peft_state

__all__ = ["image_tokens", "shortened", "text_tokens", "visual_tokens"]


def image_tokens(
    model: Any,  # noqa: ANN401 - open_clip has no types
    pixels: Float[Tensor, "b 3 height width"],
) -> tuple[Float[Tensor, "b dim"], Float[Tensor, "b patches dim"]]:
    """Pooled feature and projected patch tokens of each image, any length (EBAKER, section 3.1).

    Raises:
        ConfigError: the image tower is of another kind.
    """
    return visual_tokens(model.visual, pixels)


def visual_tokens(
    visual: Any,  # noqa: ANN401
    pixels: Float[Tensor, "b 3 height width"],
) -> tuple[Float[Tensor, "b dim"], Float[Tensor, "b patches dim"]]:
    """The same of an image tower alone.

    Patch tokens pass the final layer norm and the projection, like the class token. Of a
    convolutional timm tower, the cells of its last map pass the projection; with average pooling
    their mean is the pooled feature.

    Raises:
        ConfigError: the image tower is of another kind.
    """
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


def shortened(
    model: Any,  # noqa: ANN401
    tokens: Int[Tensor, "t context"],
) -> Int[Tensor, "t length"]:
    """Without the columns that are padding in every sentence, where they reach nothing.

    All columns stay where text attends both ways and under UniPELT, whose gates average over
    padding too.
    """
    state = peft_state(model)
    averaged = state is not None and state.config.gated and "text" in state.config.towers
    if averaged:
        return tokens
    return trim_padding(text_tower(model), tokens)


def text_tokens(
    model: Any,  # noqa: ANN401
    tokens: Int[Tensor, "t length"],
) -> tuple[Float[Tensor, "t dim"], Float[Tensor, "t length dim"]]:
    """Pooled feature and projected tokens of each sentence, any length.

    All positions are given, start, end and padding included, as released; `tokens != 0` tells which
    are real.

    Raises:
        ConfigError: the text tower is of another kind.
    """
    tower = text_tower(model)
    if is_causal(tower):
        local = project_text(tower, hidden_states(tower, tower.token_embedding(tokens)))
        return end_token_states(local, tokens), local
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
