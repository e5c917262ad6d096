"""Vectors of reference sentences, with which a query is compared: captions of many things.

Two kinds: captions of overhead images, and texts that no overhead image shows.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float32, Float64

from terraseek.encoders.base import Encoder
from terraseek.files import atomic_path, home

__all__ = ["ReferenceTexts", "reference_texts"]

_FILE = Path(__file__).with_name("reference_sentences.json")
_SHARPNESS = 2.0
"""Standard deviations of the reference cosines at which a similarity counts e times as much."""
_MIN_STD = 1e-6
_in_memory: WeakKeyDictionary[Encoder, "ReferenceTexts"] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class ReferenceTexts:
    """Unit vectors of the reference sentences in the space of one encoder."""

    overhead: Float32[np.ndarray, "n dim"]
    """Captions of overhead images."""
    other: Float32[np.ndarray, "m dim"]
    """Texts about nothing that is visible from above."""

    def wording(self, text: Float32[np.ndarray, " dim"]) -> float:
        """How much a sentence resembles captions of overhead images rather than other texts.

        Logarithm of the ratio of the mean exponential similarities to both kinds of sentences,
        scaled so that 0 is the mean of the other reference texts and 1 that of the captions, each
        measured without itself.

        Args:
            text: vector of the sentence; its length does not matter.
        """
        unit = text / max(float(np.linalg.norm(text)), _MIN_STD)
        raw = self._log_ratio((self.overhead @ unit)[None], (self.other @ unit)[None])[0]
        low, high = self._ends
        return float((raw - low) / max(high - low, _MIN_STD))

    @cached_property
    def _sharpness(self) -> float:
        rows = np.concatenate([self.overhead, self.other])
        return _SHARPNESS / max(float((rows @ rows.T)[np.triu_indices(len(rows), 1)].std()), 1e-3)

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """Mean log ratio of the other texts and of the captions."""
        across = self.overhead @ self.other.T
        captions, others = self.overhead @ self.overhead.T, self.other @ self.other.T
        np.fill_diagonal(captions, -np.inf)
        np.fill_diagonal(others, -np.inf)
        high = self._log_ratio(captions, across)
        low = self._log_ratio(across.T, others)
        return float(low.mean()), float(high.mean())

    def _log_ratio(
        self, overhead: Float32[np.ndarray, "q n"], other: Float32[np.ndarray, "q m"]
    ) -> Float64[np.ndarray, " q"]:
        def log_mean(cosines: Float32[np.ndarray, "q n"]) -> Float64[np.ndarray, " q"]:
            counted = np.isfinite(cosines).sum(axis=1)
            scaled = np.asarray(cosines, np.float64) * self._sharpness
            total: Float64[np.ndarray, " q"] = np.logaddexp.reduce(scaled, axis=1)
            mean: Float64[np.ndarray, " q"] = total - np.log(counted)
            return mean

        difference: Float64[np.ndarray, " q"] = log_mean(overhead) - log_mean(other)
        return difference


@cache
def _sentences() -> tuple[tuple[str, ...], tuple[str, ...]]:
    stored: dict[str, list[str]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(stored["overhead"]), tuple(stored["other"])


def reference_texts(encoder: Encoder) -> ReferenceTexts:
    """Vectors of the reference sentences, from memory, from `home()/significance`, or encoded."""
    found = _in_memory.get(encoder)
    if found is None:
        found = _in_memory[encoder] = _load_or_encode(encoder)
    return found


def _load_or_encode(encoder: Encoder) -> ReferenceTexts:
    overhead, other = _sentences()
    vectors = _load(_path(encoder), len(overhead) + len(other), encoder.dim)
    if vectors is None:
        vectors = encoder.encode_texts([*overhead, *other])
        _save(_path(encoder), vectors)
    return ReferenceTexts(vectors[: len(overhead)], vectors[len(overhead) :])


def _path(encoder: Encoder) -> Path:
    sentences = hashlib.sha256(_FILE.read_bytes()).hexdigest()[:8]
    return home() / "significance" / f"{encoder.encoder_id}-{sentences}.npy"


def _load(path: Path, count: int, dim: int) -> Float32[np.ndarray, "n dim"] | None:
    try:
        vectors: Any = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    lengths_fit = vectors.shape == (count, dim) and vectors.dtype == np.float32
    if not lengths_fit or not math.isclose(
        float(np.linalg.norm(vectors)), math.sqrt(count), rel_tol=1e-3
    ):
        return None
    return np.asarray(vectors, np.float32)


def _save(path: Path, vectors: Float32[np.ndarray, "n dim"]) -> None:
    """Keep the vectors; a home that cannot be written only costs the time to encode again."""
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, vectors)
    except OSError:
        return
