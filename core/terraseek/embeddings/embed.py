"""Encode a catalogue; images are decoded ahead in threads while the encoder works.

Encoded rows are written in chunks of some thousand rows; a killed job continues after the last
chunk. The store itself changes only at the end.
"""

from contextlib import closing

from terraseek.catalogue import Catalogue
from terraseek.catalogue.locking import exclusive
from terraseek.embeddings.compact import finish_killed_compaction
from terraseek.embeddings.decode import decode_images
from terraseek.embeddings.engine_job import chunk_tasks, encode_on_engine
from terraseek.embeddings.store import EmbeddingStore, store_folder
from terraseek.embeddings.writer import StoreJob
from terraseek.encoders.base import Encoder
from terraseek.parallel.engine import TaskEngine
from terraseek.progress import Progress, silent

__all__ = ["embed_catalogue"]


def embed_catalogue(
    catalogue: Catalogue,
    encoder: Encoder,
    progress: Progress = silent,
    *,
    chunk_rows: int = 2048,
    workers: int | None = None,
    engine: TaskEngine | None = None,
    device: str = "auto",
) -> EmbeddingStore:
    """Create or complete the store of an encoder; existing vectors are kept.

    Images, captions, and metadata parts of captions (`Catalogue.metadata_texts`) have separate
    vectors. Items without an image have those of their texts, until an image is attached. Images
    that cannot be decoded get a zero row without `HAS_IMAGE`, are reported in the log and tried
    again the next time.

    Args:
        catalogue: to encode.
        encoder: to use.
        progress: called with the stage `embed`.
        chunk_rows: number of rows per chunk.
        workers: number of decoding threads; by default one per core, at least two.
        engine: whose workers load the registered model of this encoder's name and encode the
            chunks, one at a time each; None encodes in this process. The store has the same
            bytes if the workers have as many threads as this process; other numbers may round
            differently.
        device: of the encoders in the workers of an engine.

    Raises:
        CatalogueError: another process is changing the same store.
        OutputError: the disk has no room; finished chunks are kept.
        TaskError: the workers of the engine can encode nothing.
        Cancelled: the callback asked to stop; finished chunks are kept.
    """
    finish_killed_compaction(catalogue)
    folder = store_folder(catalogue, encoder.name)
    with exclusive(folder):
        job = StoreJob(catalogue, encoder, folder, progress)
        missing = job.missing()
        progress("embed", catalogue.count - len(missing), catalogue.count)
        if engine is not None:
            tasks = chunk_tasks(job, missing, chunk_rows, device, images=True)
            encode_on_engine(engine, job, tasks)
        else:
            with closing(decode_images(catalogue, encoder, missing, workers)) as squares:
                for start in range(0, len(missing), chunk_rows):
                    job.encode(missing[start : start + chunk_rows], squares)
        uncaptioned = job.rows_missing_captions()
        if engine is not None:
            tasks = chunk_tasks(job, uncaptioned, chunk_rows, device, images=False)
            encode_on_engine(engine, job, tasks)
        else:
            for start in range(0, len(uncaptioned), chunk_rows):
                job.encode_captions(uncaptioned[start : start + chunk_rows])
        job.finish()
    # includes images that failed
    progress("embed", catalogue.count, catalogue.count)
    return EmbeddingStore.open(catalogue, encoder.encoder_id)
