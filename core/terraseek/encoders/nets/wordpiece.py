"""WordPiece tokenizer of uncased BERT, with the vocabulary as part of the weights.

Words are split at blanks and punctuation, lower-cased and stripped of accents, then split greedily
into the longest tokens of the vocabulary (Devlin et al. 2019, "BERT", section 3; Wu et al. 2016).
"""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from terraseek.errors import ConfigError

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor

__all__ = ["WordPiece", "read_vocabulary"]

_MAX_WORD_LENGTH = 100
"""Characters of a word; longer words become the unknown token."""
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Unicode blocks of which each character is a word."""


class WordPiece:
    """Maps sentences to token ids, `[CLS]` first and `[SEP]` last, padded with 0."""

    def __init__(self, tokens: Sequence[str], context_length: int) -> None:
        """Create a tokenizer of a vocabulary.

        Args:
            tokens: the vocabulary in the order of the ids.
            context_length: largest number of tokens of a sentence, `[CLS]` and `[SEP]` included.

        Raises:
            ConfigError: the vocabulary lacks one of BERT's special tokens.
        """
        self.context_length = context_length
        self.vocab_size = len(tokens)
        self.tokens = tuple(tokens)
        self._ids = {token: number for number, token in enumerate(tokens)}
        special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
        if missing := [token for token in special if token not in self._ids]:
            raise ConfigError(
                f"vocabulary lacks {missing}; give the vocab.txt of an uncased BERT model"
            )
        self._unknown, self._first, self._last = (self._ids[token] for token in special[1:])
        self._ids_of_word = lru_cache(maxsize=65_536)(self._split_word)

    def encode(self, text: str) -> list[int]:
        """Return all token ids of a sentence, without `[CLS]` and `[SEP]`, not cut off."""
        return [number for word in _words(text) for number in self._ids_of_word(word)]

    def __call__(self, texts: Sequence[str]) -> "Int[Tensor, 'n context']":
        """Return the token ids of sentences, cut off after `context_length` tokens."""
        out = torch.zeros((len(texts), self.context_length), dtype=torch.long)
        for row, text in enumerate(texts):
            inner = self.encode(text)[: self.context_length - 2]
            ids = [self._first, *inner, self._last]
            out[row, : len(ids)] = torch.tensor(ids)
        return out

    def _split_word(self, word: str) -> tuple[int, ...]:
        """Split a word greedily into token ids; one unknown token if that fails."""
        if len(word) > _MAX_WORD_LENGTH:
            return (self._unknown,)
        ids, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((e for e in ends if prefix + word[start:e] in self._ids), None)
            if end is None:
                return (self._unknown,)
            ids.append(self._ids[prefix + word[start:end]])
            start = end
        return tuple(ids)


def read_vocabulary(stored: "Tensor") -> list[str]:
    """Decode a vocabulary: the bytes of a `vocab.txt`, one token per line, as a uint8 tensor."""
    return bytes(stored.cpu().numpy()).decode("utf-8").split("\n")


def _words(text: str) -> list[str]:
    """Split a text into lower-cased words and punctuation marks without accents."""
    out: list[str] = []
    for char in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(char)
        if char in "\t\n\r" or kind == "Zs":
            out.append(" ")
        elif kind == "Mn" or kind.startswith("C") or char == "\ufffd":
            continue
        elif _is_punctuation(char, kind) or any(low <= ord(char) <= high for low, high in _CJK):
            out.append(f" {char} ")
        else:
            out.append(char)
    return "".join(out).split()


def _is_punctuation(char: str, kind: str) -> bool:
    """Return whether BERT counts it as punctuation: all ASCII except letters and digits."""
    ascii_mark = 33 <= ord(char) <= 126 and not char.isalnum()
    return ascii_mark or kind.startswith("P")
