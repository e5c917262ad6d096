"""The table of distinct sentences a corpus uses: tokens, teacher vectors, what each is true of."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float16, Int64

from terraseek.files import atomic_path, read_json, write_json
from terraseek.progress import Progress, silent

__all__ = ["TextTable", "rs5m_phrases", "teacher_vectors", "tokenize"]


@dataclass
class TextTable:
    """Distinct sentences, growing while sources are read."""

    texts: list[str]
    concepts: list[int]
    """Concept a template sentence stands for, -1 for sentences written about one image."""

    def __post_init__(self) -> None:
        self._row = {text: row for row, text in enumerate(self.texts)}

    def add(self, text: str, concept: int = -1) -> int:
        """Row of a sentence, added if new."""
        if text not in self._row:
            self._row[text] = len(self.texts)
            self.texts.append(text)
            self.concepts.append(concept)
        return self._row[text]


def tokenize(texts: Sequence[str], context_length: int) -> Int64[np.ndarray, "n context"]:
    """CLIP byte-pair tokens, zero-padded; what does not fit is cut and the end token kept."""
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer(context_length=context_length)
    return np.asarray(tokenizer(list(texts)).numpy())


def teacher_vectors(
    texts: Sequence[str], teacher: Path, cache: Path, progress: Progress = silent
) -> Float16[np.ndarray, "n 384"]:
    """Sentence vectors of the teacher; sentences seen before come from the cache folder."""
    listed, stored = cache / "teacher.json", cache / "teacher.npy"
    known: list[str] = read_json(listed) if listed.exists() else []
    vectors = np.load(stored)[: len(known)] if known else np.empty((0, 384), np.float16)
    row = {text: number for number, text in enumerate(known)}
    fresh = list(dict.fromkeys(text for text in texts if text not in row))
    if fresh:
        from terraseek_train.data.sentence_teacher import SentenceTeacher

        added = SentenceTeacher(teacher).encode(fresh, progress=progress).astype(np.float16)
        vectors = np.concatenate([vectors, added])
        with atomic_path(stored) as part, part.open("wb") as file:
            np.save(file, vectors)
        write_json(listed, known + fresh)  # after the vectors: a longer array is cut on reading
        row.update({text: len(known) + number for number, text in enumerate(fresh)})
    found: Float16[np.ndarray, "n 384"] = vectors[[row[text] for text in texts]]
    return found


def rs5m_phrases(path: Path, longest: int = 25) -> list[str]:
    """Short sentences and class names out of RS5M captions, for the text tower alone.

    RS3 captions begin with metadata and end with the sentence a captioner wrote; class names stand
    between single quotes (BigEarthNet) or as words joined by underscores (FMoW).
    """
    from terraseek_train.data.sources.captions import _rows

    found: dict[str, None] = {}
    for row in _rows(path, ("utf-8", "gb18030", "latin-1")):
        caption = row["caption"].strip()
        pieces = [caption.rsplit(". ", 1)[-1]]
        if caption.count("'") >= 2 and row["name"].startswith("ben_"):
            pieces += caption.split("'")[1].split(", ")
        pieces += [word.replace("_", " ") for word in caption.split() if "_" in word]
        for piece in pieces:
            if 0 < len(piece.split()) <= longest:
                found[piece.strip().lower()] = None
    return list(found)
