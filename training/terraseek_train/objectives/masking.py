"""Masked captions of a corpus, for EBAKER's keyword reasoning."""

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
from terraseek_train.methods.ebaker.keywords import MASK_ID
from terraseek_train.methods.options import EbakerMethodOptions

__all__ = ["ADJECTIVES", "mask_corpus", "mask_random_pieces"]

_VOCABULARY = 49_408
_START = 49_406
"""CLIP's start token; smaller ones are pieces of words."""
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


def mask_corpus(corpus: Corpus, options: EbakerMethodOptions) -> tuple[MaskedText, int]:
    """Mask the keywords of every sentence of a corpus.

    The keywords are the most frequent words of each source, and their union is masked; `mask` of
    the options replaces them for comparison.

    Returns:
        The masked sentences by row, and the size of the vocabulary to predict.
    """
    tokens = torch.from_numpy(corpus.tokens).long()
    masked = _masked(tokens, corpus, options)
    if options.vocabulary == "full":
        return _compact(masked.tokens, masked.labels), _VOCABULARY
    used, index = torch.unique(masked.labels, return_inverse=True)
    if int(used[0]) != 0:  # label 0 must still mean "not masked"
        index = index + 1
    return _compact(masked.tokens, index.reshape(tokens.shape)), len(used) + 1


def _masked(tokens: Tensor, corpus: Corpus, options: EbakerMethodOptions) -> MaskedText:
    if options.mask == "random":
        return mask_random_pieces(tokens)
    keywords = ADJECTIVES
    if options.mask == "keywords":
        sets = {str(n): corpus.captions_of_source(n) for n in range(len(corpus.images))}
        keywords = frozenset(keyword_statistics(sets, options.keywords))
    if options.release_compatible:
        return mask_keywords_as_released(tokens, corpus.texts, keywords)
    return mask_keywords(tokens, keywords, SimpleTokenizer())


def mask_random_pieces(
    tokens: Int[Tensor, "t context"], share: float = 0.15, seed: int = 0
) -> MaskedText:
    """Mask random word pieces, the same ones in every epoch (IRR, compared in EBAKER's paper).

    Args:
        tokens: of CLIP's tokenizer.
        share: probability that a piece is masked.
        seed: decides which.
    """
    generator = torch.Generator().manual_seed(seed)
    is_piece = (tokens > 0) & (tokens < _START)
    chosen = is_piece & (torch.rand(tokens.shape, generator=generator) < share)
    return MaskedText(tokens.masked_fill(chosen, MASK_ID), tokens.masked_fill(~chosen, 0))


def _compact(tokens: Tensor, labels: Tensor) -> MaskedText:
    return MaskedText(tokens.int(), labels.int())
