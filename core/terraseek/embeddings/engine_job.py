"""Encode the chunks of a store in the workers of a task engine.

The chunks on disk are the truth: whichever exist when a job is killed are used by the next one.
"""

import logging
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from jaxtyping import Int64

from terraseek.embeddings.decode import log_unusable
from terraseek.embeddings.encode_chunk import ChunkTask, EncodedChunk, encode_chunk
from terraseek.embeddings.writer import StoreJob
from terraseek.errors import TaskError
from terraseek.parallel.engine import Failure, TaskEngine

__all__ = ["chunk_tasks", "encode_on_engine"]

_log = logging.getLogger(__name__)
_MAX_ROUNDS_WITHOUT_SUCCESS = 2


def chunk_tasks(
    job: StoreJob,
    rows: Int64[np.ndarray, " m"],
    chunk_rows: int,
    device: str,
    *,
    images: bool,
) -> Iterator[ChunkTask]:
    """Yield the same chunks as the job would encode itself; texts are read when one is taken."""
    for start in range(0, len(rows), chunk_rows):
        part = rows[start : start + chunk_rows]
        captions, metadata_texts = job.texts(part)
        yield ChunkTask(
            catalogue=job.catalogue.path,
            model=job.encoder.name,
            device=device,
            encoder_id=job.encoder.encoder_id,
            folder=job.chunk_folder,
            rows=part,
            item_ids=job.ids[part],
            captions=captions,
            metadata_texts=metadata_texts,
            images=images,
        )


def encode_on_engine(
    engine: TaskEngine,
    job: StoreJob,
    tasks: Iterable[ChunkTask],
    function: Callable[[ChunkTask], EncodedChunk] = encode_chunk,
) -> None:
    """Encode chunks in workers; an item that always fails is listed in the log and left out.

    A chunk that fails at every try is halved until the item that makes it fail is alone.

    Args:
        engine: with the workers.
        job: whose chunks these are; its progress is reported.
        tasks: the chunks.
        function: encodes and writes one chunk.

    Raises:
        TaskError: nothing can be encoded; chunks that were written are kept.
    """
    fruitless = 0
    while True:
        halves: list[ChunkTask] = []
        succeeded, error = False, ""
        for task, result in engine.run(function, tasks):
            if not isinstance(result, Failure):
                succeeded = True
                _note(job, task, result)
                continue
            error = result.error
            if result.deliberate:
                raise TaskError(f"a worker cannot encode: {error}")
            _log.warning("a chunk of %d items failed: %s", len(task.rows), error)
            halves += task.halves()
            if len(task.rows) == 1:
                log_unusable(task.item_ids[0].decode(), error)
                job.advance(1)
        fruitless = 0 if succeeded else fruitless + 1
        if not halves:
            return
        if fruitless >= _MAX_ROUNDS_WITHOUT_SUCCESS:
            raise TaskError(f"every chunk failed; the last one: {error}")
        tasks = halves


def _note(job: StoreJob, task: ChunkTask, done: EncodedChunk) -> None:
    for item, reason in done.unusable:
        log_unusable(item, reason)
    job.note_chunk(task.rows, done.images > 0 or not task.images)
    if task.images:
        job.advance(len(task.rows))
