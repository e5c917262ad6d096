"""Whole words of tokenized captions, for CLIP's byte pairs and BERT's word pieces."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Bool, Int
from torch import Tensor

from terraseek.encoders.nets.wordpiece import WordPiece

__all__ = ["MASK_ID", "BytePairs", "PieceReader", "Pieces", "pieces_of"]

MASK_ID = 49_405
"""CLIP's last and rarest byte-pair merge serves as the mask, as in the released code."""
_CLIP_VOCABULARY = 49_408
_CLIP_START = 49_406
"""CLIP's start token; smaller ones are pieces of words."""


@runtime_checkable
class PieceReader(Protocol):
    """What masking must know of a tokenizer."""

    mask_id: int
    """Token id of the mask."""
    size: int
    """Tokens in the vocabulary."""

    def words(self, ids: Sequence[int]) -> Iterator[tuple[int, int, str]]:
        """Yield first token, end and lower-case text of every complete word of a caption."""
        ...

    def is_piece(self, tokens: Int[Tensor, "t context"]) -> Bool[Tensor, "t context"]:
        """Return which tokens are pieces of words or punctuation marks."""
        ...


def pieces_of(tokenizer: Any) -> PieceReader:  # noqa: ANN401 - open_clip has no types
    """Return the reader of a tokenizer's pieces, of CLIP's or of BERT's kind."""
    return Pieces(tokenizer) if isinstance(tokenizer, WordPiece) else BytePairs(tokenizer)


class BytePairs:
    """Pieces of CLIP's tokenizer; the last one of a word is marked."""

    mask_id, size = MASK_ID, _CLIP_VOCABULARY

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401
        self.tokenizer = tokenizer

    def words(self, ids: Sequence[int]) -> Iterator[tuple[int, int, str]]:
        """Yield the words of a caption; one that is cut off by the end token is left out."""
        special = {0, *self.tokenizer.all_special_ids}
        start, word = 0, ""
        for position, token_id in enumerate(ids):
            # "!" has id 0 like padding: neither is part of a word
            if token_id in special:
                start, word = position + 1, ""
                continue
            word += self.tokenizer.decoder[token_id]
            if word.endswith("</w>"):
                yield start, position + 1, self._decoded(word)
                start, word = position + 1, ""

    def is_piece(self, tokens: Int[Tensor, "t context"]) -> Bool[Tensor, "t context"]:
        """Return which tokens are neither padding nor start nor end."""
        return (tokens > 0) & (tokens < _CLIP_START)

    def _decoded(self, word: str) -> str:
        letters = word.removesuffix("</w>")
        raw = bytes(self.tokenizer.byte_decoder[letter] for letter in letters)
        return raw.decode("utf-8", errors="replace")


class Pieces:
    """Pieces of BERT's tokenizer; all but the first one of a word are marked by `##`."""

    def __init__(self, tokenizer: WordPiece) -> None:
        self.tokens, self.size = tokenizer.tokens, tokenizer.vocab_size
        special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
        self._special = [self.tokens.index(token) for token in special]
        self.mask_id = self._special[-1]

    def words(self, ids: Sequence[int]) -> Iterator[tuple[int, int, str]]:
        """Yield the words of a caption.

        The last word before the end token may have been cut off, which BERT's pieces do not show.
        """
        start, word = 0, ""
        for position, token_id in enumerate(ids):
            piece = self.tokens[token_id]
            if word and piece.startswith("##"):
                word += piece[2:]
                continue
            if word:
                yield start, position, word
            start, word = position, "" if token_id in self._special else piece
        if word:
            yield start, len(ids), word

    def is_piece(self, tokens: Int[Tensor, "t context"]) -> Bool[Tensor, "t context"]:
        """Return which tokens are none of BERT's special ones."""
        found = tokens != self._special[0]
        for special in self._special[1:]:
            found &= tokens != special
        return found
