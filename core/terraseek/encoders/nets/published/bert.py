"""BERT (Devlin et al. 2019, arXiv 1810.04805) as a text tower, and its transformer.

open_clip builds such towers with transformers, which asks the Hugging Face hub for the model's
config each time. The forward pass is short, so it is written out; modules are named as in
transformers, so that published weights fit without renaming.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

from terraseek.encoders.nets.minilm import bert_attention
from terraseek.encoders.nets.wordpiece import WordPiece, read_vocabulary
from terraseek.errors import WeightsNotFoundError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

__all__ = [
    "BertSize",
    "BertText",
    "BertTransformer",
    "bert_size",
    "bert_tokenizer",
    "bert_vocabulary",
    "build_bert_clip",
    "with_text_tower",
]

_VOCABULARY = Path(__file__).parents[2] / "weights" / "terraseek-small.safetensors"
"""Shipped weights whose text tower, MiniLM, has the vocabulary of uncased BERT."""
_PAD = 0
_INITIAL_STD = 0.02


@dataclass(frozen=True)
class BertSize:
    """Size of the network; the defaults are BERT-base, uncased."""

    width: int = 768
    """Dimensions of a token."""
    layers: int = 12
    heads: int = 12
    """Attention heads of a layer."""
    vocab_size: int = 30_522
    positions: int = 512
    """Rows of the position table."""
    kinds: int = 2
    """Rows of the table of sentence kinds, of which the first is used."""
    eps: float = 1e-12
    """Added to the variance in layer norms."""
    pad: int = _PAD
    """Token of the padding."""
    first_position: int = 0
    """Position of the first token."""
    dropout: float = 0.1
    """Probability in training, after embeddings, attention weights and both parts of a layer."""


def bert_size(text: Mapping[str, Any]) -> BertSize | None:
    """Return the size of the text tower if it is BERT, else None.

    Args:
        text: `text_cfg` with the `hf_model_name` of BERT-base, or with fields of `BertSize` under
            `bert`.

    Raises:
        TypeError: a field is unknown.
    """
    if "bert" in text:
        return BertSize(**text["bert"])
    return BertSize() if text.get("hf_model_name") == "bert-base-uncased" else None


def build_bert_clip(config: Mapping[str, Any]) -> nn.Module:
    """Build open_clip's network of an image tower and BERT, with random weights.

    Args:
        config: open_clip model config of which `bert_size` knows the text tower.
    """
    size = bert_size(config["text_cfg"])
    assert size is not None
    return with_text_tower(config, BertText(size, config["embed_dim"]), size.vocab_size)


def with_text_tower(config: Mapping[str, Any], text: nn.Module, vocab_size: int) -> nn.Module:
    """Build open_clip's network of a config's image tower and another text tower."""
    placeholder = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 1}
    model: Any = open_clip.CustomTextCLIP(
        embed_dim=config["embed_dim"],
        vision_cfg=config["vision_cfg"],
        text_cfg=placeholder,
        quick_gelu=config.get("quick_gelu", False),
    )
    model.text = text
    model.vocab_size = vocab_size
    model.context_length = config["text_cfg"].get("context_length", 77)
    built: nn.Module = model
    return built


@lru_cache(maxsize=4)
def bert_tokenizer(context_length: int) -> WordPiece:
    """Return the tokenizer of uncased BERT; its vocabulary is in the weights of terraseek-small.

    Raises:
        WeightsNotFoundError: the weights are not on this machine.
    """
    return WordPiece(read_vocabulary(bert_vocabulary()), context_length)


def bert_vocabulary() -> "Tensor":
    """Return the vocabulary of uncased BERT as `LiteClip` stores it: the bytes of `vocab.txt`.

    Raises:
        WeightsNotFoundError: the weights of terraseek-small, which hold it, are not here.
    """
    if not _VOCABULARY.is_file():
        raise WeightsNotFoundError(
            f"BERT's vocabulary is part of {_VOCABULARY}, which is missing; reinstall terraseek"
        )
    with safe_open(_VOCABULARY, framework="pt") as file:
        stored: Tensor = file.get_tensor("text.vocabulary")
    return stored


class BertText(nn.Module):
    """BERT's last layer, projected to the joint space; the first token stands for the sentence.

    Names of the tensors are those of open_clip's `HFTextEncoder` with a linear projection.
    """

    ignores_padding = True
    """Columns that are padding in every sentence can be cut off."""

    def __init__(self, size: BertSize, dim: int) -> None:
        """Build the tower with BERT's random initial weights.

        Args:
            size: of the transformer.
            dim: dimensions of the joint space.
        """
        super().__init__()
        self.transformer = BertTransformer(size)
        self.proj = nn.Linear(size.width, dim, bias=False)
        self.output_dim = dim
        for module in self.transformer.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=_INITIAL_STD)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def token_features(self, tokens: "Int[Tensor, 't length']") -> "Float[Tensor, 't length dim']":
        """Compute the projected state of every token; padding has no effect on the others."""
        out: Tensor = self.proj(self.transformer(tokens, tokens != _PAD))
        return out

    def pooled_and_tokens(self, tokens: "Int[Tensor, 't length']") -> "tuple[Tensor, Tensor]":
        """Compute text features [t, dim] and those of all tokens [t, length, dim]."""
        local = self.token_features(tokens)
        return local[:, 0], local

    def forward(self, tokens: "Int[Tensor, 't length']") -> "Float[Tensor, 't dim']":
        """Compute text features of sentences padded on the right with token 0."""
        return self.token_features(tokens)[:, 0]


class BertTransformer(nn.Module):
    """Embeddings and layers of BERT, named as in transformers."""

    cut_padding = True
    """Whether a tower may leave out columns of padding; adapters that read padding unset it."""

    def __init__(self, size: BertSize) -> None:
        """Build the network with random weights."""
        super().__init__()
        self.size = size
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(size.vocab_size, size.width, padding_idx=size.pad),
                "position_embeddings": nn.Embedding(size.positions, size.width),
                "token_type_embeddings": nn.Embedding(size.kinds, size.width),
                "LayerNorm": nn.LayerNorm(size.width, size.eps),
            }
        )
        self.drop = nn.Dropout(size.dropout)
        layers = nn.ModuleList([_Layer(size) for _ in range(size.layers)])
        self.encoder = nn.ModuleDict({"layer": layers})

    def forward(
        self, tokens: "Int[Tensor, 't length']", used: "Bool[Tensor, 't length']"
    ) -> "Float[Tensor, 't length width']":
        """Compute the states of the last layer, with attention to the tokens in use."""
        table: Any = self.embeddings
        first = self.size.first_position
        positions = table["position_embeddings"].weight[first : first + tokens.shape[1]]
        kind = table["token_type_embeddings"].weight[0]
        x: Tensor = table["LayerNorm"](table["word_embeddings"](tokens) + positions + kind)
        x = self.drop(x)
        layers: Any = self.encoder["layer"]
        for layer in layers:
            x = layer(x, used)
        return x


class _Layer(nn.Module):
    """Layer of BERT: attention, then a feed-forward part, each followed by a layer norm."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        width = size.width
        self.heads = size.heads
        self.drop = nn.Dropout(size.dropout)
        attention = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict(
            {"self": nn.ModuleDict(attention), "output": _dense_and_norm(width, size)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, 4 * width)})
        self.output = _dense_and_norm(4 * width, size)

    def forward(
        self, x: "Float[Tensor, 't length width']", used: "Bool[Tensor, 't length']"
    ) -> "Float[Tensor, 't length width']":
        attention: Any = self.attention
        project: Any = attention["self"]
        projections = project["query"](x), project["key"](x), project["value"](x)
        dropout = self.drop.p if self.training else 0.0
        attended = bert_attention(projections, used, self.heads, dropout)
        x = self._add_and_norm(attention["output"], x, attended)
        return self._add_and_norm(self.output, x, F.gelu(self.intermediate["dense"](x)))

    def _add_and_norm(self, part: nn.ModuleDict, x: "Tensor", update: "Tensor") -> "Tensor":
        out: Tensor = part["LayerNorm"](x + self.drop(part["dense"](update)))
        return out


def _dense_and_norm(into: int, size: BertSize) -> nn.ModuleDict:
    norm = nn.LayerNorm(size.width, size.eps)
    return nn.ModuleDict({"dense": nn.Linear(into, size.width), "LayerNorm": norm})
