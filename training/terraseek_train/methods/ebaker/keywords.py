"""Which words of captions carry meaning, and how they are hidden from the text tower."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = [
    "MASK_ID",
    "STOP_WORDS",
    "MaskedText",
    "keyword_statistics",
    "mask_keywords",
    "mask_keywords_as_released",
]

MASK_ID = 49_405  # the last and rarest byte-pair merge, given up for the mask as released
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
    """Token ids with keywords hidden, and what was hidden."""

    tokens: Int[Tensor, "t context"]
    labels: Int[Tensor, "t context"]
    """The original id where a token is hidden, 0 elsewhere."""


def keyword_statistics(
    captions: Mapping[str, Iterable[str]], top: int = 512, stop_words: Set[str] = STOP_WORDS
) -> tuple[str, ...]:
    """The `top` most frequent words of each set, joined (EBAKER, KER; 512 a set is best there).

    Args:
        captions: sentences of each set.
        top: words taken from a set; words equally frequent are taken in alphabetical order.
        stop_words: words that are never taken.

    Returns:
        Lower-case words without repetition, in alphabetical order.
    """
    chosen: set[str] = set()
    for sentences in captions.values():
        counts = Counter(word for text in sentences for word in _WORD.findall(text.lower()))
        usual = [(-count, word) for word, count in counts.items() if word not in stop_words]
        chosen.update(word for _, word in sorted(usual)[:top])
    return tuple(sorted(chosen))


def mask_keywords(
    tokens: Int[Tensor, "t context"],
    keywords: Set[str],
    tokenizer: Any,  # noqa: ANN401 - open_clip has no types
    mask_id: int = MASK_ID,
) -> MaskedText:
    """Hide every byte-pair piece of every keyword.

    Words are put together from the tokens themselves, so a word of several pieces is hidden whole;
    one cut off by the end of the context is no word and stays.

    Args:
        tokens: as open_clip's tokenizer gives them.
        keywords: lower-case words.
        tokenizer: the `SimpleTokenizer` they were made with.
        mask_id: id that stands for a hidden piece.
    """
    labels = torch.zeros_like(tokens)
    special = {0, *tokenizer.all_special_ids}
    for row, ids in enumerate(tokens.tolist()):
        start, pieces = 0, ""
        for place, number in enumerate(ids):
            # "!" has id 0 like padding: neither is part of a word
            if number in special:
                start, pieces = place + 1, ""
                continue
            pieces += tokenizer.decoder[number]
            if not pieces.endswith("</w>"):
                continue
            if _plain(pieces, tokenizer) in keywords:
                labels[row, start : place + 1] = tokens[row, start : place + 1]
            start, pieces = place + 1, ""
    return _masked(tokens, labels, mask_id)


def mask_keywords_as_released(
    tokens: Int[Tensor, "t context"],
    texts: Sequence[str],
    keywords: Set[str],
    mask_id: int = MASK_ID,
) -> MaskedText:
    """Hide the token at the index of each keyword among the words of its sentence.

    That is one token too early, the start token being first, and further off after words of several
    pieces. Only for comparison with models trained so.
    """
    labels = torch.zeros_like(tokens)
    for row, text in enumerate(texts):
        for place, word in enumerate(text.lower().split()[: tokens.shape[1]]):
            if word in keywords:
                labels[row, place] = tokens[row, place]
    return _masked(tokens, labels, mask_id)


def _masked(tokens: Tensor, labels: Tensor, mask_id: int) -> MaskedText:
    return MaskedText(tokens.masked_fill(labels != 0, mask_id), labels)


def _plain(pieces: str, tokenizer: Any) -> str:  # noqa: ANN401
    letters = pieces.removesuffix("</w>")
    raw = bytes(tokenizer.byte_decoder[letter] for letter in letters)
    return raw.decode("utf-8", errors="replace")
