"""The text tower of open_clip models, run only over the columns that hold tokens.

Sentences are much shorter than the context: those of RSICD have about 13 tokens of CLIP's 77. Under
a causal mask, padding cannot influence the tokens before it. Columns that are padding in all
sentences can therefore be cut off, and the feature of the end-of-text token, which represents the
sentence, stays the same.
"""

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

__all__ = [
    "encode_embeddings",
    "encode_tokens",
    "end_token_states",
    "hidden_states",
    "is_causal",
    "project_text",
    "stretched_from",
    "text_tower",
    "trim_padding",
]


def text_tower(model: Any) -> Any:  # noqa: ANN401 - open_clip has no types
    """Return the text tower of a model; the plain CLIP class is itself its text tower."""
    return getattr(model, "text", model)


def stretched_from(tower: Any) -> int | None:  # noqa: ANN401
    """Return the rows of position embeddings to stretch when weights are loaded, if any.

    `build_model` notes them on towers whose config has `stretched_from`.
    """
    rows: int | None = getattr(tower, "stretched_from", None)
    return rows


def is_causal(tower: Any) -> bool:  # noqa: ANN401
    """Return whether a text tower is CLIP's: causal, pooled at the end token (the largest id)."""
    pool = getattr(tower, "pool_type", getattr(tower, "text_pool_type", None))
    extra = getattr(tower, "cls_emb", None)
    return getattr(tower, "attn_mask", None) is not None and pool == "argmax" and extra is None


def trim_padding(
    tower: Any,  # noqa: ANN401
    tokens: "Int[Tensor, 't context']",
) -> "Int[Tensor, 't length']":
    """Remove the columns that are padding in every sentence, if these cannot change a feature.

    They cannot in a causal tower, nor in one that attends to no padding (`ignores_padding`).
    """
    used = (tokens != 0).any(dim=0).nonzero()
    towers = getattr(tower, "texts", [tower])  # those of an ensemble have one architecture
    removable = is_causal(towers[0]) or getattr(towers[0], "ignores_padding", False)
    if not removable or not len(used):
        return tokens
    return tokens[:, : int(used.max()) + 1]


def encode_tokens(
    model: Any,  # noqa: ANN401
    tokens: "Int[Tensor, 't length']",
) -> "Float[Tensor, 't dim']":
    """Compute the text feature of each sentence, of any length: `encode_text` of open_clip.

    Unlike open_clip's method it accepts tokens trimmed by `trim_padding`.
    """
    tower = text_tower(model)
    if not is_causal(tower):
        features: Tensor = model.encode_text(tokens)
        return features
    return encode_embeddings(tower, tower.token_embedding(tokens), tokens)


def encode_embeddings(
    tower: Any,  # noqa: ANN401
    embeddings: "Float[Tensor, 't length width']",
    tokens: "Int[Tensor, 't length']",
) -> "Float[Tensor, 't dim']":
    """Compute the text feature of each sentence from its token embeddings; causal towers only."""
    return project_text(tower, end_token_states(hidden_states(tower, embeddings), tokens))


def hidden_states(
    tower: Any,  # noqa: ANN401
    embeddings: "Float[Tensor, 't length width']",
) -> "Float[Tensor, 't length width']":
    """Run a causal tower over token embeddings, up to and including its last layer norm."""
    length = embeddings.shape[1]
    x = embeddings + tower.positional_embedding[:length]
    x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])
    out: Tensor = tower.ln_final(x)
    return out


def end_token_states(
    states: "Float[Tensor, 't length width']", tokens: "Int[Tensor, 't length']"
) -> "Float[Tensor, 't width']":
    """Select the hidden state of the end token of each sentence."""
    rows = torch.arange(len(states), device=states.device)
    return states[rows, tokens.argmax(dim=1)]


def project_text(
    tower: Any,  # noqa: ANN401
    states: "Float[Tensor, '*rows width']",
) -> "Float[Tensor, '*rows dim']":
    """Project hidden states into the joint embedding space, if the tower has a projection."""
    projection = tower.text_projection
    if projection is None:
        return states
    mapped: Tensor = projection(states) if callable(projection) else states @ projection
    return mapped
