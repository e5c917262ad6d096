"""Tokenizer of a text tower from a `tokenizer.json` on disk, without a network and transformers.

open_clip asks the Hugging Face hub for the tokenizers of SigLIP and of multilingual text towers by
name each time one is built, which fails offline even when the weights are here (open_clip issue
1056). The file lies beside the weights instead; which special tokens surround a text is in the
card, because files and the settings that transformers reads beside them can differ.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from open_clip.tokenizer import get_clean_fn

from terraseek.encoders.cards import TokenizerFile
from terraseek.errors import ConfigError, MissingExtraError
from terraseek.files import read_json

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor

__all__ = ["FileTokenizer"]


class FileTokenizer:
    """Tokenizer with the interface of open_clip's: sentences to int64 [n, context]."""

    def __init__(self, path: Path, settings: TokenizerFile, context_length: int) -> None:
        """Read the file.

        Args:
            path: of the `tokenizer.json`.
            settings: special tokens and cleaning of the text.
            context_length: tokens of a row, special ones included; longer texts are cut off.

        Raises:
            MissingExtraError: the package tokenizers is not installed.
            ConfigError: the file is no tokenizer, or it lacks a special token.
        """
        self.context_length = context_length
        self._tokenizer = _read(path)
        self._clean: Any = get_clean_fn(settings.clean)
        self._start = self._ids(settings.start, path)
        self._end = self._ids(settings.end, path)
        self._pad = self._ids(settings.pad, path)[0]
        self.vocab_size = int(self._tokenizer.get_vocab_size())

    def __call__(self, texts: str | Sequence[str]) -> "Int[Tensor, 'n context']":
        """Tokenize sentences; padding fills a row up to the context length."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        room = self.context_length - len(self._start) - len(self._end)
        rows = torch.full((len(texts), self.context_length), self._pad, dtype=torch.int64)
        for row, text in zip(rows, texts, strict=True):
            ids = [*self._start, *self._content(text)[:room], *self._end]
            row[: len(ids)] = torch.tensor(ids)
        return rows

    def count(self, text: str) -> int:
        """Return the number of tokens of a text, special ones included, before it is cut off."""
        return len(self._start) + len(self._content(text)) + len(self._end)

    def _content(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(self._clean(text), add_special_tokens=False).ids
        return ids

    def _ids(self, token: str, path: Path) -> list[int]:
        if not token:
            return []
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ConfigError(f"tokenizer {path} has no token {token!r}; it is another model's")
        return [int(found)]


def _read(path: Path) -> Any:  # noqa: ANN401 - the package has no types
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError(
            "this model needs the package tokenizers for its texts, which is not installed; "
            "`pip install 'terraseek[encoders]'`"
        ) from error
    try:  # the package itself raises nothing narrower than Exception
        model = read_json(path)["model"]["vocab"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not a tokenizer.json: {error!r}") from error
    if not model:
        raise ConfigError(f"{path} is not a tokenizer.json: its vocabulary is empty")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
