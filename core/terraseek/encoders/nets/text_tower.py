"""The text tower of open_clip models, computed only as far as the sentences of a batch reach.

Sentences are much shorter than the context: RSICD's have some 13 tokens of CLIP's 77. Under a
causal mask padding cannot reach what comes before it, so columns that are padding in all sentences
can be cut off, and the end token, which speaks for its sentence, says the same as before.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

__all__ = [
    "from_words",
    "is_causal",
    "pooled",
    "projected",
    "states",
    "text_features",
    "text_tower",
    "without_padding",
]


def text_tower(model: Any) -> Any:  # noqa: ANN401 - open_clip has no types
    """The part of a model that reads; CLIP's own keeps its parts at the top."""
    return getattr(model, "text", model)


def is_causal(tower: Any) -> bool:  # noqa: ANN401
    """Whether it is CLIP's: causal, and the end token, which has the largest id, speaks for all."""
    pool = getattr(tower, "pool_type", getattr(tower, "text_pool_type", None))
    extra = getattr(tower, "cls_emb", None)
    return getattr(tower, "attn_mask", None) is not None and pool == "argmax" and extra is None


def without_padding(
    tower: Any,  # noqa: ANN401
    tokens: "Int[Tensor, 't context']",
) -> "Int[Tensor, 't length']":
    """Without the columns that are padding in every sentence; all where text attends both ways."""
    used = (tokens != 0).any(dim=0).nonzero()
    readers = getattr(tower, "texts", [tower])  # of encoders side by side, which are alike
    if not is_causal(readers[0]) or not len(used):
        return tokens
    return tokens[:, : int(used.max()) + 1]


def text_features(
    model: Any,  # noqa: ANN401
    tokens: "Int[Tensor, 't length']",
) -> "Float[Tensor, 't dim']":
    """Pooled feature of each sentence, any length: open_clip's `encode_text`, cut or not."""
    tower = text_tower(model)
    if not is_causal(tower):
        whole: Tensor = model.encode_text(tokens)
        return whole
    return from_words(tower, tower.token_embedding(tokens), tokens)


def from_words(
    tower: Any,  # noqa: ANN401
    words: "Float[Tensor, 't length width']",
    tokens: "Int[Tensor, 't length']",
) -> "Float[Tensor, 't dim']":
    """Pooled feature of each sentence from the embeddings of its tokens; causal towers only."""
    return projected(tower, pooled(states(tower, words), tokens))


def states(
    tower: Any,  # noqa: ANN401
    words: "Float[Tensor, 't length width']",
) -> "Float[Tensor, 't length width']":
    """What a causal tower makes of the embedding of each token, after its last layer norm."""
    length = words.shape[1]
    x = words + tower.positional_embedding[:length]
    read = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])
    out: Tensor = tower.ln_final(read)
    return out


def pooled(
    read: "Float[Tensor, 't length width']", tokens: "Int[Tensor, 't length']"
) -> "Float[Tensor, 't width']":
    """The end token's row of each sentence."""
    import torch

    rows = torch.arange(len(read), device=read.device)
    return read[rows, tokens.argmax(dim=1)]


def projected(
    tower: Any,  # noqa: ANN401
    read: "Float[Tensor, '*rows width']",
) -> "Float[Tensor, '*rows dim']":
    """Into the space shared with images, where the tower has a projection."""
    projection = tower.text_projection
    if projection is None:
        return read
    mapped: Tensor = projection(read) if callable(projection) else read @ projection
    return mapped
