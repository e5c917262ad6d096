"""Masked captions of a corpus, for EBAKER's keyword reasoning."""

import torch
from open_clip.tokenizer import SimpleTokenizer

from terraseek_train.data.corpus import Corpus
from terraseek_train.methods.ebaker import (
    MaskedText,
    keyword_statistics,
    mask_keywords,
    mask_keywords_as_released,
)
from terraseek_train.methods.options import EbakerMethodOptions

__all__ = ["mask_corpus"]

_VOCABULARY = 49_408


def mask_corpus(corpus: Corpus, options: EbakerMethodOptions) -> tuple[MaskedText, int]:
    """Mask the keywords of every sentence of a corpus.

    The keywords are the most frequent words of each source, and their union is masked.

    Returns:
        The masked sentences by row, and the size of the vocabulary to predict.
    """
    tokens = torch.from_numpy(corpus.tokens).long()
    sets = {str(n): corpus.captions_of_source(n) for n in range(len(corpus.images))}
    keywords = set(keyword_statistics(sets, options.keywords))
    if options.release_compatible:
        masked = mask_keywords_as_released(tokens, corpus.texts, keywords)
    else:
        masked = mask_keywords(tokens, keywords, SimpleTokenizer())
    if options.vocabulary == "full":
        return _compact(masked.tokens, masked.labels), _VOCABULARY
    used, index = torch.unique(masked.labels, return_inverse=True)
    if int(used[0]) != 0:  # label 0 must still mean "not masked"
        index = index + 1
    return _compact(masked.tokens, index.reshape(tokens.shape)), len(used) + 1


def _compact(tokens: torch.Tensor, labels: torch.Tensor) -> MaskedText:
    return MaskedText(tokens.int(), labels.int())
