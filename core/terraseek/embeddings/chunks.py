"""Chunks of an unfinished store: files of some rows each, kept until they are merged."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float16, UInt8

from terraseek.embeddings.store import HAS_IMAGE, hash_ids
from terraseek.files import ARRAY_ERRORS, atomic_path

__all__ = ["Chunk", "read_chunks", "write_chunk"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Chunk:
    """Vectors of some rows, in any order."""

    item_ids: np.ndarray
    vectors: Float16[np.ndarray, "n dim"]
    captions: Float16[np.ndarray, "n dim"]
    flags: UInt8[np.ndarray, " n"]
    """Which vectors of each row this chunk has."""
    metadata: Float16[np.ndarray, "n dim"] | None
    """Vectors of the metadata parts of captions; None if no row has one."""


def write_chunk(folder: Path, chunk: Chunk, encoder_id: str) -> None:
    """Write a chunk to a file named after its item ids.

    A chunk of captions only does not replace the chunk of the same rows with their images.
    """
    prefix = "" if (chunk.flags & HAS_IMAGE).any() else "words-"
    path = folder / f"{prefix}{hash_ids(chunk.item_ids)[:16]}.npz"
    arrays = {
        "encoder_id": np.array(encoder_id),
        "item_ids": chunk.item_ids,
        "vectors": chunk.vectors,
        "captions": chunk.captions,
        "flags": chunk.flags,
    }
    if chunk.metadata is not None:
        arrays["metadata"] = chunk.metadata
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_chunks(folder: Path, encoder_id: str) -> Iterator[Chunk]:
    """Read the undamaged chunks of an encoder, always in the same order."""
    for path in sorted(folder.glob("[!.]*.npz")):
        chunk = _read(path, encoder_id)
        if chunk is not None:
            yield chunk


def _read(path: Path, encoder_id: str) -> Chunk | None:
    """Read a chunk; None if it is of another encoder or damaged, as it is then encoded again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["encoder_id"]) != encoder_id:
                return None
            return Chunk(
                file["item_ids"],
                file["vectors"],
                file["captions"],
                file["flags"],
                file.get("metadata"),
            )
    except (*ARRAY_ERRORS, KeyError):
        _log.warning("chunk %s is damaged and is encoded again", path)
        return None
