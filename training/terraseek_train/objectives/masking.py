"""Masked captions of a corpus, for EBAKER's keyword reasoning."""

from typing import Any

import torch
from jaxtyping import Int
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from terraseek_train.data.corpus import Corpus
from terraseek_train.methods.ebaker import (
    MaskedText,
    keyword_statistics,
    mask_keywords,
    mask_keywords_as_released,
)
from terraseek_train.methods.ebaker.words import pieces_of
from terraseek_train.methods.options import EbakerMethodOptions

__all__ = ["ADJECTIVES", "mask_corpus", "mask_random_pieces"]

ADJECTIVES = frozenset(
    """
    adjacent agricultural bare big black blue bright broad brown busy circular clean clear coastal
    commercial crowded curved dark deep dense different dry empty flat green grey gray high huge
    industrial irregular large light little long low medium narrow natural neat new old open orange
    oval parallel pink public purple rectangular red residential round rural semicircular several
    shallow short silver small smooth sparse square straight surrounded tall thick thin tidy tiny
    triangular urban vast white wide winding yellow young
    """.split()  # noqa: SIM905 - one word a line would be 80 lines
)
"""Adjectives of aerial captions, our own list: that of the paper is not known."""


def mask_corpus(
    corpus: Corpus,
    options: EbakerMethodOptions,
    tokenizer: Any = None,  # noqa: ANN401 - open_clip has no types
) -> tuple[MaskedText, int]:
    """Mask the keywords of every sentence of a corpus.

    The keywords are the most frequent words of each source, and their union is masked; `mask` of
    the options replaces them for comparison.

    Args:
        corpus: sentences with their tokens.
        options: what is masked.
        tokenizer: that made the tokens; None for CLIP's.

    Returns:
        The masked sentences by row, and the size of the vocabulary to predict.
    """
    tokenizer = tokenizer or SimpleTokenizer()
    tokens = torch.from_numpy(corpus.tokens).long()
    masked = _masked(tokens, corpus, options, tokenizer)
    if options.vocabulary == "full":
        return _compact(masked.tokens, masked.labels), pieces_of(tokenizer).size
    used, index = torch.unique(masked.labels, return_inverse=True)
    if int(used[0]) != 0:  # label 0 must still mean "not masked"
        index = index + 1
    return _compact(masked.tokens, index.reshape(tokens.shape)), len(used) + 1


def _masked(
    tokens: Tensor,
    corpus: Corpus,
    options: EbakerMethodOptions,
    tokenizer: Any,  # noqa: ANN401
) -> MaskedText:
    if options.mask == "random":
        return mask_random_pieces(tokens, tokenizer=tokenizer)
    keywords = ADJECTIVES
    if options.mask == "keywords":
        sets = {str(n): corpus.captions_of_source(n) for n in range(len(corpus.images))}
        keywords = frozenset(keyword_statistics(sets, options.keywords))
    if options.release_compatible:
        mask_id = pieces_of(tokenizer).mask_id
        return mask_keywords_as_released(tokens, corpus.texts, keywords, mask_id)
    return mask_keywords(tokens, keywords, tokenizer)


def mask_random_pieces(
    tokens: Int[Tensor, "t context"],
    share: float = 0.15,
    seed: int = 0,
    tokenizer: Any = None,  # noqa: ANN401
) -> MaskedText:
    """Mask random word pieces, the same ones in every epoch (IRR, compared in EBAKER's paper).

    Args:
        tokens: of the captions.
        share: probability that a piece is masked.
        seed: decides which.
        tokenizer: that made the tokens; None for CLIP's.
    """
    pieces = pieces_of(tokenizer)
    generator = torch.Generator().manual_seed(seed)
    chosen = pieces.is_piece(tokens) & (torch.rand(tokens.shape, generator=generator) < share)
    return MaskedText(tokens.masked_fill(chosen, pieces.mask_id), tokens.masked_fill(~chosen, 0))


def _compact(tokens: Tensor, labels: Tensor) -> MaskedText:
    return MaskedText(tokens.int(), labels.int())
