"""Encode the rows of one chunk: in the job itself, or as a task of a worker process."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float16, Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.embeddings.chunks import Chunk, write_chunk
from terraseek.embeddings.decode import decode_images
from terraseek.embeddings.long_texts import encode_long_texts
from terraseek.embeddings.store import HAS_CAPTION, HAS_IMAGE, HAS_METADATA
from terraseek.encoders.base import Encoder
from terraseek.encoders.load import load_encoder
from terraseek.errors import CatalogueError, EncoderMismatchError

__all__ = ["ChunkTask", "EncodedChunk", "encode_chunk", "encode_squares", "with_texts"]


def encode_squares(
    encoder: Encoder,
    squares: Iterator[UInt8[np.ndarray, "side side 3"] | None],
    count: int,
    report: Callable[[int], None] = lambda done: None,
) -> tuple[Float16[np.ndarray, "count dim"], UInt8[np.ndarray, " count"]]:
    """Encode the next images, batch by batch, as vectors and flags.

    Args:
        encoder: to use.
        squares: images in the order of the rows; None for an item without a usable image.
        count: number of rows.
        report: called with the number of rows of each batch.
    """
    vectors = np.zeros((count, encoder.dim), np.float16)
    flags = np.zeros(count, np.uint8)
    for start in range(0, count, encoder.batch_size):
        batch = list(islice(squares, min(encoder.batch_size, count - start)))
        positions = [start + at for at, square in enumerate(batch) if square is not None]
        if positions:
            images = np.stack([square for square in batch if square is not None])
            vectors[positions] = encoder.encode_squares(images).astype(np.float16)
            flags[positions] |= HAS_IMAGE
        report(len(batch))
    return vectors, flags


def with_texts(
    encoder: Encoder, chunk: Chunk, captions: Sequence[str], metadata_texts: Sequence[str]
) -> Chunk:
    """Add the vectors of captions, and of their metadata parts, to a chunk of image vectors."""
    vectors, captioned = _encode_texts(encoder, captions)
    metadata, described = _encode_texts(encoder, metadata_texts, split_long=True)
    flags = chunk.flags | HAS_CAPTION * captioned.astype(np.uint8)
    flags |= HAS_METADATA * described.astype(np.uint8)
    kept = metadata if described.any() else None
    return replace(chunk, captions=vectors, flags=flags, metadata=kept)


def _encode_texts(
    encoder: Encoder, texts: Sequence[str], split_long: bool = False
) -> tuple[Float16[np.ndarray, "m dim"], Bool[np.ndarray, " m"]]:
    """Vectors of texts, and the mask of texts that have one.

    Args:
        encoder: to use.
        texts: blank ones have no vector.
        split_long: whether to split texts that exceed the context length, see
            `encode_long_texts`.
    """
    out = np.zeros((len(texts), encoder.dim), np.float16)
    has_text = np.array([bool(text.strip()) for text in texts], bool)
    if has_text.any():
        encode = partial(encode_long_texts, encoder) if split_long else encoder.encode_texts
        out[has_text] = encode([text for text in texts if text.strip()])
    return out, has_text


@dataclass(frozen=True)
class ChunkTask:
    """What a worker needs to know to encode a chunk and to write it."""

    catalogue: Path
    model: str
    device: str
    encoder_id: str
    folder: Path
    """Where the chunk is written."""
    rows: Int64[np.ndarray, " m"]
    """Rows of the catalogue."""
    item_ids: np.ndarray
    captions: tuple[str, ...]
    metadata_texts: tuple[str, ...]
    images: bool
    """Whether the images are encoded, too, or only the texts."""

    def halves(self) -> "tuple[ChunkTask, ...]":
        """Two tasks with half of the rows each; none for a task of one row."""
        if len(self.rows) < 2:
            return ()
        middle = len(self.rows) // 2
        return self._part(slice(0, middle)), self._part(slice(middle, None))

    def _part(self, rows: slice) -> "ChunkTask":
        return replace(
            self,
            rows=self.rows[rows],
            item_ids=self.item_ids[rows],
            captions=self.captions[rows],
            metadata_texts=self.metadata_texts[rows],
        )


@dataclass(frozen=True)
class EncodedChunk:
    """What the job must know of a chunk that a worker has written."""

    images: int
    """Number of rows with an image vector."""
    unusable: tuple[tuple[str, str], ...]
    """Id of each item whose image cannot be used, and the reason."""


def encode_chunk(task: ChunkTask) -> EncodedChunk:
    """Encode a chunk and write it; called in a worker.

    Raises:
        EncoderMismatchError: this worker's model of that name is another one.
        CatalogueError: the catalogue that this worker reads has other items.
    """
    import torch

    encoder = _encoder(task.model, task.device, task.encoder_id)
    vectors = np.zeros((len(task.rows), encoder.dim), np.float16)
    flags = np.zeros(len(task.rows), np.uint8)
    unusable: list[tuple[str, str]] = []
    if task.images:
        catalogue = _catalogue(task.catalogue, _changed_at(task.catalogue))
        if not np.array_equal(catalogue.item_ids[task.rows], task.item_ids):
            raise CatalogueError(
                f"{task.catalogue} has other items in a worker than in the job; use a folder that "
                "all nodes share"
            )
        threads = max(2, torch.get_num_threads())
        with closing(
            decode_images(catalogue, encoder, task.rows, threads, lambda *u: unusable.append(u))
        ) as squares:
            vectors, flags = encode_squares(encoder, squares, len(task.rows))
    chunk = Chunk(task.item_ids, vectors, np.zeros_like(vectors), flags, None)
    chunk = with_texts(encoder, chunk, task.captions, task.metadata_texts)
    write_chunk(task.folder, chunk, encoder.encoder_id)
    return EncodedChunk(int((flags & HAS_IMAGE > 0).sum()), tuple(unusable))


def _changed_at(catalogue: Path) -> tuple[int, ...]:
    """Times of change of the files in a catalogue's folder, so that a kept one is not outdated."""
    return tuple(sorted(f.stat().st_mtime_ns for f in catalogue.iterdir() if f.is_file()))


@lru_cache(1)
def _catalogue(path: Path, changed: tuple[int, ...]) -> Catalogue:
    return Catalogue.open(path)


@lru_cache(1)
def _encoder(model: str, device: str, encoder_id: str) -> Encoder:
    encoder = load_encoder(model, device)
    if encoder.encoder_id != encoder_id:
        raise EncoderMismatchError(
            f"the model {model!r} of a worker is {encoder.encoder_id}, that of the job "
            f"{encoder_id}; install the same weights on all nodes, or share TERRASEEK_HOME"
        )
    return encoder
