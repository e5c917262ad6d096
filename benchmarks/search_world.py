"""Vectors and items for the search benchmark, generated in chunks so that memory stays small.

Vectors are clustered like embeddings: a common mean, a decreasing spectrum, clusters of very
different size, and noise within them. Or they are the vectors of a catalogue, resampled with noise,
so that no two are equal.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore, Manifest, hash_ids
from terraseek.encoders.fake import FakeEncoder
from terraseek.files import write_json

__all__ = ["FILTER_SHARE", "items_table", "make_catalogue", "make_store", "sample_queries"]

FILTER_SHARE = 0.02
"""Share of the items that pass the benchmark's filter."""
_CHUNK = 1 << 16
_MEAN = 0.35
_NOISE = 0.55
_REAL_NOISE = 0.35
_SOURCES = ("laion2b", "coyo", "laioncoco", "fmow", "ben", "millionaid", "yfcc", "wit", "cc12m")


def make_store(
    folder: Path,
    count: int,
    dim: int,
    real: np.ndarray | None,
    encoder: tuple[str, str] | None = None,
) -> EmbeddingStore:
    """Write a store of `count` vectors to `folder`.

    Args:
        folder: of the store.
        count: number of vectors.
        dim: their length, if `real` is None.
        real: vectors to resample.
        encoder: name of the model and encoder id; None for a `FakeEncoder`.
    """
    dim = dim if real is None else real.shape[1]
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    draw = _Clusters(count, dim, random) if real is None else _Resampled(real)
    shape = (count, dim)
    vectors = np.lib.format.open_memmap(
        folder / "vectors.npy", mode="w+", dtype=np.float16, shape=shape
    )
    for start in range(0, count, _CHUNK):
        size = min(_CHUNK, count - start)
        vectors[start : start + size] = draw.chunk(random, size)
    vectors.flush()
    np.lib.format.open_memmap(folder / "captions.npy", mode="w+", dtype=np.float16, shape=shape)
    np.save(folder / "flags.npy", np.full(count, HAS_IMAGE, np.uint8))
    ids = id_array(count)
    np.save(folder / "item_ids.npy", ids)
    model, encoder_id = encoder or ("fake", FakeEncoder(dim).encoder_id)
    manifest = Manifest(
        *(model, encoder_id, None, None, dim, "float16", True, count, 0, 0),
        *(hash_ids(ids), "now"),
    )
    write_json(folder / "manifest.json", manifest.to_json())
    return EmbeddingStore.read(folder)


class _Clusters:
    def __init__(self, count: int, dim: int, random: np.random.Generator) -> None:
        self.spectrum = (np.arange(1, dim + 1) ** -0.4).astype(np.float32)
        self.spectrum /= np.linalg.norm(self.spectrum)
        self.mean = self._normal(random, 1)[0]
        self.centres = self._normal(random, max(16, min(40_000, count // 100)))
        # Zipf: a few clusters are large, most are small
        weights = 1 / np.arange(1, len(self.centres) + 1) ** 0.7
        self.weights = weights / weights.sum()

    def _normal(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Vectors of length about 1, more spread along the first axes."""
        drawn = random.standard_normal((count, len(self.spectrum)), dtype=np.float32)
        scaled: np.ndarray = drawn * self.spectrum
        return scaled

    def chunk(self, random: np.random.Generator, size: int) -> np.ndarray:
        vectors = self.centres[random.choice(len(self.centres), size, p=self.weights)]
        vectors = vectors + _NOISE * self._normal(random, size) + _MEAN * self.mean
        return _unit(vectors)


class _Resampled:
    def __init__(self, real: np.ndarray) -> None:
        self.real = np.asarray(real, np.float32)
        self.spread = self.real.std(axis=0)

    def chunk(self, random: np.random.Generator, size: int) -> np.ndarray:
        vectors = self.real[random.integers(0, len(self.real), size)]
        noise = random.standard_normal(vectors.shape, dtype=np.float32) * self.spread
        return _unit(vectors + _REAL_NOISE * noise)


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def sample_queries(store: EmbeddingStore, count: int) -> np.ndarray:
    """Unit vectors near the stored ones, but equal to none."""
    random = np.random.default_rng(1)
    rows = np.sort(random.choice(store.count, 2 * count, replace=False))
    drawn = np.asarray(store.vectors[rows], np.float32)
    random.shuffle(drawn)
    # between two random vectors, nearer to the first, like a query that names two things
    return _unit(0.8 * drawn[:count] + 0.2 * drawn[count:])


def items_table(count: int) -> "object":
    """Places, sources, dates and GSD of `count` items as an Arrow table."""
    import pyarrow as pa

    random = np.random.default_rng(2)
    towns = np.stack([random.uniform(-170, 170, 3000), random.uniform(-55, 70, 3000)], axis=1)
    where = towns[random.integers(0, len(towns), count)]
    where += random.normal(0, 1.5, where.shape)
    sources = pa.DictionaryArray.from_arrays(
        random.integers(0, len(_SOURCES), count, dtype=np.int32), pa.array(_SOURCES)
    ).cast(pa.string())
    days = np.datetime64("2002-01-01") + random.integers(0, 8000, count)
    return pa.table(
        {
            "lon": np.clip(where[:, 0], -180, 180),
            "lat": np.clip(where[:, 1], -90, 90),
            "source": sources,
            "captured_at": pa.array(days.astype("datetime64[D]")).cast(pa.string()),
            "gsd_m": random.choice([0.3, 0.5, 1.0, 10.0], count),
            "share": random.random(count),
        }
    )


def id_array(count: int) -> np.ndarray:
    """Distinct random ids of twelve letters, like those of items (`S12`)."""
    letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", "S1")
    drawn = letters[np.random.default_rng(3).integers(0, 32, (count, 12), dtype=np.uint8)]
    ids: np.ndarray = drawn.view("S12")[:, 0]
    return ids


def make_catalogue(
    folder: Path, count: int, images: tuple[Path, Sequence[int]] | None = None
) -> None:
    """Write the items table of `count` items, with captions and files as in RS5M's shards.

    Args:
        folder: of the catalogue.
        count: number of items.
        images: a file with JPEGs one after the other and their sizes in bytes, which are given to
            the items in turn; None for shards that do not exist.
    """
    import pandas as pd
    import pyarrow as pa

    from terraseek.catalogue.items_file import write_items

    random = np.random.default_rng(4)
    things = np.array(["a river", "some houses", "an airport", "green fields", "a harbour"])
    views = np.array(["a satellite image of", "an aerial photograph showing", "a view of"])
    around = np.array(["with roads.", "in a forest.", "beside the sea.", "under thin clouds."])
    caption = np.char.add(np.char.add(random.choice(views, 3000), " "), random.choice(things, 3000))
    caption = np.char.add(np.char.add(caption, " "), random.choice(around, 3000))
    shard = np.arange(count) // 10_000
    names = pa.array(id_array(count)).cast(pa.string())

    def drawn(values: object, at: np.ndarray) -> pd.Series:
        known = pa.array(values, pa.large_string())
        texts: pd.Series = known.take(pa.array(at)).to_pandas().astype("str")
        return texts

    table = items_table(count).to_pandas()  # type: ignore[attr-defined]
    table.insert(0, "item_id", names.to_pandas().astype("str"))
    table.insert(1, "image", table["item_id"] + ".jpg")
    table["caption"] = drawn(caption, random.integers(0, len(caption), count))
    table["location_precision"] = drawn(["exact"], np.zeros(count, np.int64))
    table["label"] = drawn(["", "port", "farm"], random.integers(0, 3, count))
    shards = [f"/images/rs5m/{number:05d}.tar" for number in range(int(shard.max()) + 1)]
    sizes: np.ndarray = np.full(count, 39_000)
    offsets: np.ndarray = np.arange(count) % 10_000 * 40_000
    if images is not None:
        file, each = images
        turn = np.arange(count) % len(each)
        sizes, offsets = np.array(each)[turn], (np.cumsum(each) - each)[turn]
        shards, shard = [str(file)], np.zeros(count, np.int64)
    table["_file"] = drawn(shards, shard)
    table["_offset"] = pd.array(offsets, dtype="Int64")
    table["_size"] = pd.array(sizes, dtype="Int64")
    write_items(folder, table, {})
