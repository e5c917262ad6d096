"""CLIP-style network of an EfficientNet-Lite image tower and the MiniLM sentence encoder.

The image tower has the parts of open_clip's timm towers (`trunk` up to the feature map, `head`
after the pooling), so that dense localization and folding of batch norms work for it too. Names of
modules and buffers are keys of weights files.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from terraseek.encoders.architecture import HUBNESS_DIMS
from terraseek.encoders.nets.hubness import hubness_correction
from terraseek.encoders.nets.minilm import MiniLM
from terraseek.encoders.nets.wordpiece import WordPiece, read_vocabulary
from terraseek.errors import ConfigError

if TYPE_CHECKING:  # no shape checks in tests: `encoders.nets.fuse` traces these methods
    from jaxtyping import Float, Int
    from torch import Tensor

__all__ = ["LiteClip", "build_lite_clip", "image_trunk"]

_BATCH_NORM_EPS = 1e-3
"""Of the published EfficientNet-Lite weights; timm's default is 1e-5."""


def build_lite_clip(config: Mapping[str, Any]) -> "LiteClip":
    """Build the network of a config with random weights.

    Args:
        config: `embed_dim` (the hubness correction included), `vision_cfg` with `timm_model_name`
            and `hidden`, `text_cfg` with `minilm` (the arguments of `MiniLM`), `hidden`,
            `context_length` and `vocabulary_bytes`, and optionally `hubs` as
            `encoders.nets.hubness` reads it.

    Raises:
        ConfigError: timm has no such tower, or a part of the config is missing.
    """
    try:
        return LiteClip(config)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"architecture cannot be built: {error!r}") from error


def image_trunk(name: str) -> nn.Module:
    """Build a timm network without classifier, with random weights, as EfficientNet-Lite has it."""
    import timm

    trunk: nn.Module = timm.create_model(name, pretrained=False, num_classes=0)
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = _BATCH_NORM_EPS
    return trunk


class LiteClip(nn.Module):
    """Network with the interface of open_clip's; both towers return unit vectors."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        vision, text, hubs = config["vision_cfg"], config["text_cfg"], config.get("hubs")
        dim = int(config["embed_dim"]) - (0 if hubs is None else HUBNESS_DIMS)
        self.visual = ImageTower(vision["timm_model_name"], dim, int(vision["hidden"]))
        self.text = SentenceTower(text, dim)
        self.logit_scale = nn.Parameter(torch.zeros(()))
        if hubs is not None:
            self.visual.level = hubness_correction("image", dim, hubs)
            self.text.level = hubness_correction("text", dim, hubs)
            self.text.output_dim += HUBNESS_DIMS

    def tokenizer(self) -> WordPiece:
        """Return the tokenizer; the weights, which hold its vocabulary, must be loaded before."""
        return WordPiece(read_vocabulary(self.text.vocabulary), self.text.context_length)

    def encode_image(self, pixels: "Float[Tensor, 'n 3 s s']") -> "Tensor":
        """Compute unit vectors [n, dim] of normalised pixels."""
        vectors: Tensor = self.visual(pixels)
        return vectors

    def encode_text(self, tokens: "Int[Tensor, 't context']") -> "Tensor":
        """Compute unit vectors [t, dim] of tokenized sentences."""
        vectors: Tensor = self.text(tokens)
        return vectors


class ImageTower(nn.Module):
    """Feature map, its mean over the cells, and the head that projects this mean."""

    def __init__(self, name: str, dim: int, hidden: int) -> None:
        super().__init__()
        trunk: Any = image_trunk(name)
        self.trunk, channels = trunk, int(trunk.num_features)
        self.project = ResidualHead(channels, channels, hidden, dim)
        self.level: nn.Module = nn.Identity()

    def head(self, pooled: "Tensor") -> "Tensor":
        """Project means of cells [*n, c] to unit vectors [*n, dim]."""
        vectors: Tensor = self.level(F.normalize(self.project(pooled, pooled), dim=-1))
        return vectors

    def forward(self, pixels: "Tensor") -> "Tensor":
        """Compute unit vectors of normalised pixels [n, 3, s, s]."""
        return self.head(self.trunk.forward_head(self.trunk.forward_features(pixels)))


class SentenceTower(nn.Module):
    """MiniLM, centring of its vectors, and the head that maps them to the joint space."""

    ignores_padding = True
    """Columns that are padding in every sentence can be cut off."""
    averages_tokens = True
    """No token stands for the sentence."""

    def __init__(self, config: Mapping[str, Any], dim: int) -> None:
        super().__init__()
        self.reader = MiniLM(**config["minilm"])
        self.context_length = int(config["context_length"])
        self.vocabulary: Tensor
        self.register_buffer(
            "vocabulary", torch.zeros(config["vocabulary_bytes"], dtype=torch.uint8)
        )
        size = len(self.reader.levels) * self.reader.width
        self.usual: Tensor  # mean of the training sentences, for centring
        self.register_buffer("usual", torch.zeros(size))
        self.project = ResidualHead(self.reader.width, size, int(config["hidden"]), dim)
        self.level: nn.Module = nn.Identity()
        self.output_dim = int(dim)

    def head(self, means: "Tensor") -> "Tensor":
        """Project MiniLM's means [*t, levels * width] to unit vectors [*t, dim].

        The linear part of the head reads the last level only.
        """
        centred = means - self.usual
        last = F.normalize(centred[..., -self.reader.width :], dim=-1)
        vectors: Tensor = self.level(F.normalize(self.project(last, centred), dim=-1))
        return vectors

    def forward(self, tokens: "Tensor") -> "Tensor":
        """Compute unit vectors of token ids [t, context]."""
        return self.head(self.reader(tokens))

    def pooled_and_tokens(self, tokens: "Tensor") -> "tuple[Tensor, Tensor]":
        """Compute unit vectors of sentences [t, dim] and of each of their tokens.

        A token [t, length, dim] passes the head as if it were the mean of its sentence.
        """
        states = self.reader.states(tokens)
        each = torch.cat([F.normalize(state, dim=-1) for state in states], dim=-1)
        return self.head(self.reader.pool(states, tokens)), self.head(each)


class ResidualHead(nn.Module):
    """Sum of a linear map and a small network, whose output is zero before training."""

    def __init__(self, straight: int, size: int, hidden: int, dim: int) -> None:
        super().__init__()
        self.straight = nn.Linear(straight, dim)
        self.norm = nn.LayerNorm(size)
        self.inner, self.outer = nn.Linear(size, hidden), nn.Linear(hidden, dim)
        self.drop = nn.Dropout(0.0)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, straight: "Tensor", whole: "Tensor") -> "Tensor":
        residual = self.outer(self.drop(F.gelu(self.inner(self.norm(whole)))))
        out: Tensor = self.straight(straight) + residual
        return out
