"""XLM-RoBERTa (Conneau et al. 2020, arXiv 1911.02116) as open_clip's multilingual text tower.

open_clip builds it with transformers, which asks the Hugging Face hub for the model's config each
time. Here it is BERT's transformer (`nets.published.bert`) with other positions and padding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from terraseek.encoders.nets.published.bert import BertSize, BertTransformer, with_text_tower

if TYPE_CHECKING:
    from jaxtyping import Float, Int
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
    return with_text_tower(config, XlmRobertaText(size, config["embed_dim"]), size.vocab_size)


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
        self.transformer = BertTransformer(
            BertSize(
                size.width,
                size.layers,
                size.heads,
                size.vocab_size,
                size.positions,
                kinds=1,
                eps=_EPS,
                pad=_PAD,
                first_position=_FIRST_POSITION,
                dropout=0.0,
            )
        )
        self.proj = nn.Sequential(
            nn.Linear(size.width, hidden, bias=False),
            nn.GELU(),
            nn.Linear(hidden, dim, bias=False),
        )

    def forward(self, tokens: "Int[Tensor, 't context']") -> "Float[Tensor, 't dim']":
        """Compute text features of sentences padded on the right with token 1."""
        used = tokens != _PAD
        length = used.shape[1]
        if self.transformer.cut_padding:
            length = max(1, int(used.sum(dim=1).max()))
        states = self.transformer(tokens[:, :length], used[:, :length])
        mask = used[:, :length, None].to(states.dtype)
        out: Tensor = self.proj((states * mask).sum(dim=1) / mask.sum(dim=1))
        return out
