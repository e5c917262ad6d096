"""Parts of a store in the making: some rows each, written whole, kept until they are joined."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float16, UInt8

from terraseek.embeddings.store import HAS_IMAGE, hash_ids
from terraseek.files import atomic_path

__all__ = ["Piece", "read_parts", "write_part"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Piece:
    """Finished rows, in any order."""

    item_ids: np.ndarray
    vectors: Float16[np.ndarray, "n dim"]
    captions: Float16[np.ndarray, "n dim"]
    flags: UInt8[np.ndarray, " n"]
    """Which of the vectors a row has here."""
    metadata: Float16[np.ndarray, "n dim"] | None
    """Of the metadata parts of captions; None where no row has one."""


def write_part(folder: Path, piece: Piece, encoder_id: str) -> None:
    """Write a piece as a file of its own; one of the same rows is replaced.

    Words of rows whose images were done before go beside the part of their images.
    """
    words = "" if (piece.flags & HAS_IMAGE).any() else "words-"
    path = folder / f"{words}{hash_ids(piece.item_ids)[:16]}.npz"
    arrays = {
        "encoder_id": np.array(encoder_id),
        "item_ids": piece.item_ids,
        "vectors": piece.vectors,
        "captions": piece.captions,
        "flags": piece.flags,
    }
    if piece.metadata is not None:
        arrays["metadata"] = piece.metadata
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_parts(folder: Path, encoder_id: str) -> Iterator[Piece]:
    """The parts of an encoder that are whole, always in the same order."""
    for path in sorted(folder.glob("[!.]*.npz")):
        piece = _read(path, encoder_id)
        if piece is not None:
            yield piece


def _read(path: Path, encoder_id: str) -> Piece | None:
    """A finished part, or None if it is another encoder's or damaged; it is made again then."""
    try:
        with np.load(path, allow_pickle=False) as part:
            if str(part["encoder_id"]) != encoder_id:
                return None
            return Piece(
                part["item_ids"],
                part["vectors"],
                part["captions"],
                part["flags"],
                part.get("metadata"),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        _log.warning("part %s is damaged and is made again", path)
        return None
