"""Keywords of captions for EBAKER: selection by frequency, and masking of their tokens."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from terraseek_train.methods.ebaker.words import MASK_ID, pieces_of

__all__ = [
    "MASK_ID",
    "STOP_WORDS",
    "MaskedText",
    "keyword_statistics",
    "mask_keywords",
    "mask_keywords_as_released",
]

_WORD = re.compile(r"[^\W\d_]+")  # letter runs, as CLIP's tokenizer splits
STOP_WORDS = frozenset(
    """
    a about above across after again all along also among an and another any are around as at
    be because been before behind being below beside besides between both but by can case come
    could did do does down each either every few for four from front full get go got had has
    have he her here him his how i if in inside into is it its just kind left like lot many
    may me more most much my near next no nor not of off on one only onto or other others our
    out over own part piece right s same seen she side so some such t than that the their them
    then there these they this those three through to together too top toward towards two
    under until up upon us very was we were what when where which while who whose will with
    within without you your
    """.split()  # noqa: SIM905 - one word a line would be 160 lines
)


@dataclass(frozen=True)
class MaskedText:
    """Token ids with masked keywords, and the labels of the masked positions."""

    tokens: Int[Tensor, "t context"]
    labels: Int[Tensor, "t context"]
    """Original id where a token is masked, 0 elsewhere."""


def keyword_statistics(
    captions: Mapping[str, Iterable[str]], top: int = 512, stop_words: Set[str] = STOP_WORDS
) -> tuple[str, ...]:
    """Union of the `top` most frequent words of each data set (EBAKER, KER; 512 is best there).

    Args:
        captions: captions of each data set.
        top: number of words per data set; equally frequent words are taken in alphabetical order.
        stop_words: words that are never keywords.

    Returns:
        Lower-case words without repetition, in alphabetical order.
    """
    chosen: set[str] = set()
    for texts in captions.values():
        counts = Counter(word for text in texts for word in _WORD.findall(text.lower()))
        ranked = sorted((-n, word) for word, n in counts.items() if word not in stop_words)
        chosen.update(word for _, word in ranked[:top])
    return tuple(sorted(chosen))


def mask_keywords(
    tokens: Int[Tensor, "t context"],
    keywords: Set[str],
    tokenizer: Any,  # noqa: ANN401 - open_clip has no types
) -> MaskedText:
    """Mask every token of every keyword.

    Words are assembled from the tokens, so all tokens of a word are masked; a word of CLIP's tokens
    that is cut off by the end of the context stays.

    Args:
        tokens: of the captions.
        keywords: lower-case words.
        tokenizer: the `SimpleTokenizer` or `WordPiece` that made `tokens`.
    """
    labels, pieces = torch.zeros_like(tokens), pieces_of(tokenizer)
    for row, ids in enumerate(tokens.tolist()):
        for start, end, word in pieces.words(ids):
            if word in keywords:
                labels[row, start:end] = tokens[row, start:end]
    return _masked(tokens, labels, pieces.mask_id)


def mask_keywords_as_released(
    tokens: Int[Tensor, "t context"],
    texts: Sequence[str],
    keywords: Set[str],
    mask_id: int = MASK_ID,
) -> MaskedText:
    """Mask the token at the index of each keyword among the words of its caption, as released.

    This index is one too small, because the start token comes first, and wrong by more after words
    of several tokens. Only for comparison with models trained in this way.
    """
    labels = torch.zeros_like(tokens)
    for row, text in enumerate(texts):
        for position, word in enumerate(text.lower().split()[: tokens.shape[1]]):
            if word in keywords:
                labels[row, position] = tokens[row, position]
    return _masked(tokens, labels, mask_id)


def _masked(tokens: Tensor, labels: Tensor, mask_id: int) -> MaskedText:
    return MaskedText(tokens.masked_fill(labels != 0, mask_id), labels)
