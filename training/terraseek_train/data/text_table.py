"""The distinct sentences of a corpus: their rows, tokens and vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Int64

from terraseek.files import atomic_path, read_json, write_json
from terraseek.progress import Progress, silent
from terraseek.text_files import read_csv_rows
from terraseek_train.config_architecture import reads_word_pieces

__all__ = ["TextTable", "rs5m_phrases", "sentence_vectors", "tokenize", "tokenizer_of"]


@dataclass
class TextTable:
    """Distinct sentences by row; grows while sources are read."""

    texts: list[str]
    concepts: list[int]
    """Concept of a template sentence; -1 for captions."""

    def __post_init__(self) -> None:
        self._row = {text: row for row, text in enumerate(self.texts)}

    def add(self, text: str, concept: int = -1) -> int:
        """Return the row of a sentence, which is added if it is new."""
        if text not in self._row:
            self._row[text] = len(self.texts)
            self.texts.append(text)
            self.concepts.append(concept)
        return self._row[text]


def tokenize(texts: Sequence[str], arch: Mapping[str, Any]) -> Int64[np.ndarray, "n context"]:
    """Compute the tokens of a text tower, zero-padded; long sentences are cut before the end token.

    Args:
        texts: sentences.
        arch: model config; its text tower is CLIP's, BERT or MiniLM.
    """
    return np.asarray(tokenizer_of(arch)(list(texts)).numpy())


def tokenizer_of(arch: Mapping[str, Any]) -> Any:  # noqa: ANN401 - open_clip has no types
    """Build the tokenizer of a text tower; it maps sentences to tokens [n, context]."""
    context_length = int(arch["text_cfg"]["context_length"])
    if reads_word_pieces(arch):
        from terraseek.encoders.nets.published.bert import bert_tokenizer

        return bert_tokenizer(context_length)
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(context_length=context_length)


def sentence_vectors(
    texts: Sequence[str], encoder: Path, cache: Path, progress: Progress = silent
) -> Float16[np.ndarray, "n 384"]:
    """Embed sentences with the sentence encoder, or take their vectors from the cache.

    Args:
        texts: sentences.
        encoder: folder of the sentence encoder.
        cache: folder that keeps all vectors.
        progress: called while sentences are embedded.
    """
    cached_texts, stored = cache / "teacher.json", cache / "teacher.npy"
    known: list[str] = read_json(cached_texts) if cached_texts.exists() else []
    vectors = np.load(stored)[: len(known)] if known else np.empty((0, 384), np.float16)
    row = {text: number for number, text in enumerate(known)}
    fresh = list(dict.fromkeys(text for text in texts if text not in row))
    if fresh:
        from terraseek_train.data.sentence_encoder import SentenceEncoder

        added = SentenceEncoder(encoder).encode(fresh, progress=progress).astype(np.float16)
        vectors = np.concatenate([vectors, added])
        with atomic_path(stored) as part, part.open("wb") as file:
            np.save(file, vectors)
        write_json(
            cached_texts, known + fresh
        )  # after the vectors: a longer array is cut on reading
        row.update({text: len(known) + number for number, text in enumerate(fresh)})
    found: Float16[np.ndarray, "n 384"] = vectors[[row[text] for text in texts]]
    return found


def rs5m_phrases(path: Path, longest: int = 25) -> list[str]:
    """Extract short sentences and class names from RS5M captions, to train the text tower.

    RS3 captions begin with metadata and end with the sentence of a captioning model; class names
    are between single quotes (BigEarthNet) or are words with underscores (FMoW).

    Args:
        path: caption CSV with the columns name and caption.
        longest: most words of a phrase.
    """
    found: dict[str, None] = {}
    for row in read_csv_rows(path, ("gb18030", "latin-1")):
        caption = row["caption"].strip()
        phrases = [caption.rsplit(". ", 1)[-1]]
        if caption.count("'") >= 2 and row["name"].startswith("ben_"):
            phrases += caption.split("'")[1].split(", ")
        phrases += [word.replace("_", " ") for word in caption.split() if "_" in word]
        for phrase in phrases:
            if 0 < len(phrase.split()) <= longest:
                found[phrase.strip().lower()] = None
    return list(found)
