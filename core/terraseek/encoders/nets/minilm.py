"""MiniLM sentence encoder (Wang et al. 2020; Reimers and Gurevych 2019) as a text tower.

BERT's forward pass is written out because it is short and spares a large dependency; `bert_keys`
renames the tensors of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from terraseek.errors import ConfigError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

__all__ = ["MiniLM", "bert_attention", "bert_keys"]

_EPS = 1e-12


class MiniLM(nn.Module):
    """Sentence encoder: means over the tokens after one or several layers."""

    cut_padding = True
    """Leave out columns that are padding in every sentence; adapters that read padding unset it."""

    def __init__(
        self,
        levels: Sequence[int] = (),
        vocab_size: int = 30_522,
        width: int = 384,
        layers: int = 6,
        heads: int = 12,
        positions: int = 512,
    ) -> None:
        """Build the network with random weights.

        Args:
            levels: numbers of layers after which means are taken; 0 is the token embeddings, and
                by default the last layer is taken.
            vocab_size: number of tokens in the vocabulary.
            width: dimensions of a token.
            layers: layers of the transformer.
            heads: attention heads of a layer.
            positions: largest number of tokens in a sentence.

        Raises:
            ConfigError: a level is not a number from 0 to `layers`.
        """
        super().__init__()
        levels = tuple(levels) or (layers,)
        if not set(levels) <= set(range(layers + 1)):
            raise ConfigError(f"MiniLM levels {levels} must be numbers from 0 to {layers}")
        self.levels, self.width = levels, width
        self.words = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(positions, width)
        self.kind = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width, _EPS)
        self.blocks = nn.ModuleList([BertLayer(width, heads) for _ in range(layers)])

    def forward(self, tokens: "Int[Tensor, 't length']") -> "Float[Tensor, 't levels_width']":
        """Concatenate the means of all levels, each of unit length; token 0 is padding."""
        if self.cut_padding:
            tokens = tokens[:, : max(1, int((tokens != 0).sum(dim=1).max()))]
        return self.pool(self.states(tokens), tokens)

    def states(self, tokens: "Int[Tensor, 't length']") -> "list[Tensor]":
        """Compute the states [t, length, width] of all tokens after each of the levels."""
        used = tokens != 0
        x = self.norm(self.words(tokens) + self.positions.weight[: tokens.shape[1]] + self.kind)
        outputs = {0: x}
        for number, block in enumerate(self.blocks, 1):
            x = outputs[number] = block(x, used)
        return [outputs[level] for level in self.levels]

    def pool(
        self, states: "list[Tensor]", tokens: "Int[Tensor, 't length']"
    ) -> "Float[Tensor, 't levels_width']":
        """Concatenate the means of `states` over the tokens in use, each of unit length."""
        mask = (tokens != 0).to(states[0].dtype)[..., None]
        means = [(state * mask).sum(1) / mask.sum(1) for state in states]
        return torch.cat([F.normalize(mean, dim=-1) for mean in means], dim=-1)


class BertLayer(nn.Module):
    """Layer of BERT: attention, then a feed-forward part, each followed by a layer norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.out_norm = nn.LayerNorm(width, _EPS)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.outer_norm = nn.LayerNorm(width, _EPS)

    def forward(
        self, x: "Float[Tensor, 't length width']", used: "Bool[Tensor, 't length']"
    ) -> "Float[Tensor, 't length width']":
        attended = bert_attention((self.query(x), self.key(x), self.value(x)), used, self.heads)
        x = self.out_norm(x + self.out(attended))
        out: Tensor = self.outer_norm(x + self.outer(F.gelu(self.inner(x))))
        return out


def bert_attention(
    projections: "tuple[Tensor, Tensor, Tensor]",
    used: "Bool[Tensor, 't length']",
    heads: int,
    dropout: float = 0.0,
) -> "Float[Tensor, 't length width']":
    """Attend to the tokens in use, with several heads, as BERT and XLM-RoBERTa do.

    Args:
        projections: queries, keys and values of all tokens, [t, length, width] each.
        used: which tokens are no padding.
        heads: number of heads, which share the width.
        dropout: probability that an attention weight is left out.
    """
    query, key, value = (
        one.reshape(*one.shape[:2], heads, -1).transpose(1, 2) for one in projections
    )
    mask = used[:, None, None]
    attended = F.scaled_dot_product_attention(query, key, value, mask, dropout)
    return attended.transpose(1, 2).flatten(2)


def bert_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of a published BERT encoder to `MiniLM`'s; drop the pooler."""
    top = {
        "embeddings.word_embeddings.weight": "words.weight",
        "embeddings.position_embeddings.weight": "positions.weight",
        "embeddings.LayerNorm.weight": "norm.weight",
        "embeddings.LayerNorm.bias": "norm.bias",
    }
    parts = {
        "attention.self.": "",
        "attention.output.dense": "out",
        "attention.output.LayerNorm": "out_norm",
        "intermediate.dense": "inner",
        "output.dense": "outer",
        "output.LayerNorm": "outer_norm",
    }
    named = {top[key]: value for key, value in state.items() if key in top}
    named["kind"] = state["embeddings.token_type_embeddings.weight"][0]
    for key, value in state.items():
        if key.startswith("encoder.layer."):
            number, rest = key.removeprefix("encoder.layer.").split(".", 1)
            old = next(part for part in parts if rest.startswith(part))
            named[f"blocks.{number}.{parts[old]}{rest.removeprefix(old)}"] = value
    return named
