"""XLM-RoBERTa (Conneau et al. 2020, arXiv 1911.02116) as open_clip's multilingual text tower.

open_clip builds it with transformers, which asks the Hugging Face hub for the model's config each
time. Its forward pass is short, so it is written out; modules are named as in transformers, which
makes published weights files fit without renaming.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import open_clip
import torch.nn.functional as F
from torch import nn

from terraseek.encoders.nets.minilm import bert_attention

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

__all__ = ["XlmRobertaSize", "XlmRobertaText", "build_xlm_roberta_clip", "xlm_roberta_size"]

_EPS = 1e-5
_PAD = 1
_FIRST_POSITION = 2
"""Position of the first token; fairseq counts positions from the padding token's id on."""


@dataclass(frozen=True)
class XlmRobertaSize:
    """Size of the network."""

    width: int
    """Dimensions of a token."""
    layers: int
    heads: int
    """Attention heads of a layer."""
    vocab_size: int = 250_002
    positions: int = 514
    """Rows of the position table."""


_SIZES = {
    "xlm-roberta-base": XlmRobertaSize(768, 12, 12),
    "xlm-roberta-large": XlmRobertaSize(1024, 24, 16),
}
"""Published sizes by the name that open_clip's configs have in `hf_model_name`."""


def xlm_roberta_size(text: Mapping[str, Any]) -> XlmRobertaSize | None:
    """Return the size of the text tower if it is XLM-RoBERTa, else None.

    Args:
        text: `text_cfg` with a published `hf_model_name`, or with the fields of `XlmRobertaSize`
            under `xlm_roberta`.

    Raises:
        TypeError: a field is missing or unknown.
    """
    if "xlm_roberta" in text:
        return XlmRobertaSize(**text["xlm_roberta"])
    return _SIZES.get(text.get("hf_model_name", ""))


def build_xlm_roberta_clip(config: Mapping[str, Any]) -> nn.Module:
    """Build open_clip's network of an image tower and XLM-RoBERTa, with random weights.

    Args:
        config: open_clip model config of which `xlm_roberta_size` knows the text tower.
    """
    size = xlm_roberta_size(config["text_cfg"])
    assert size is not None
    placeholder = {"layers": 1, "width": 8, "heads": 1, "vocab_size": 1}
    model: Any = open_clip.CustomTextCLIP(
        embed_dim=config["embed_dim"],
        vision_cfg=config["vision_cfg"],
        text_cfg=placeholder,
        quick_gelu=config.get("quick_gelu", False),
    )
    model.text = XlmRobertaText(size, config["embed_dim"])
    model.vocab_size = size.vocab_size
    model.context_length = config["text_cfg"].get("context_length", 77)
    built: nn.Module = model
    return built


class XlmRobertaText(nn.Module):
    """Mean over the last layer's tokens, projected to the joint space by two linear layers."""

    def __init__(self, size: XlmRobertaSize, dim: int) -> None:
        """Build the tower with random weights.

        Args:
            size: of the transformer.
            dim: dimensions of the joint space.
        """
        super().__init__()
        hidden = (size.width + dim) // 2
        self.transformer = _Transformer(size)
        self.proj = nn.Sequential(
            nn.Linear(size.width, hidden, bias=False),
            nn.GELU(),
            nn.Linear(hidden, dim, bias=False),
        )

    def forward(self, tokens: "Int[Tensor, 't context']") -> "Float[Tensor, 't dim']":
        """Compute text features of sentences padded on the right with token 1."""
        used = tokens != _PAD
        length = max(1, int(used.sum(dim=1).max()))
        states = self.transformer(tokens[:, :length], used[:, :length])
        mask = used[:, :length, None].to(states.dtype)
        out: Tensor = self.proj((states * mask).sum(dim=1) / mask.sum(dim=1))
        return out


class _Transformer(nn.Module):
    def __init__(self, size: XlmRobertaSize) -> None:
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(size.vocab_size, size.width, padding_idx=_PAD),
                "position_embeddings": nn.Embedding(size.positions, size.width),
                "token_type_embeddings": nn.Embedding(1, size.width),
                "LayerNorm": nn.LayerNorm(size.width, _EPS),
            }
        )
        layers = nn.ModuleList([_Layer(size.width, size.heads) for _ in range(size.layers)])
        self.encoder = nn.ModuleDict({"layer": layers})

    def forward(
        self, tokens: "Int[Tensor, 't length']", used: "Bool[Tensor, 't length']"
    ) -> "Float[Tensor, 't length width']":
        table: Any = self.embeddings
        end = _FIRST_POSITION + tokens.shape[1]
        positions = table["position_embeddings"].weight[_FIRST_POSITION:end]
        kind = table["token_type_embeddings"].weight[0]
        x: Tensor = table["LayerNorm"](table["word_embeddings"](tokens) + positions + kind)
        layers: Any = self.encoder["layer"]
        for layer in layers:
            x = layer(x, used)
        return x


class _Layer(nn.Module):
    """Layer of BERT: attention, then a feed-forward part, each followed by a layer norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        attention = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict(
            {"self": nn.ModuleDict(attention), "output": _dense_and_norm(width, width)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, 4 * width)})
        self.output = _dense_and_norm(4 * width, width)

    def forward(
        self, x: "Float[Tensor, 't length width']", used: "Bool[Tensor, 't length']"
    ) -> "Float[Tensor, 't length width']":
        attention: Any = self.attention
        project: Any = attention["self"]
        projections = project["query"](x), project["key"](x), project["value"](x)
        attended = bert_attention(projections, used, self.heads)
        x = _add_and_norm(attention["output"], x, attended)
        return _add_and_norm(self.output, x, F.gelu(self.intermediate["dense"](x)))


def _dense_and_norm(into: int, width: int) -> nn.ModuleDict:
    return nn.ModuleDict({"dense": nn.Linear(into, width), "LayerNorm": nn.LayerNorm(width, _EPS)})


def _add_and_norm(part: nn.ModuleDict, x: "Tensor", update: "Tensor") -> "Tensor":
    out: Tensor = part["LayerNorm"](x + part["dense"](update))
    return out
