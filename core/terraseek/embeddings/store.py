"""Store of the vectors of a catalogue's items by one encoder, memory-mapped from disk.

`CATALOGUE/embeddings/NAME/` contains `vectors.npy` and `captions.npy` (float16, one row per item),
`flags.npy` (which vectors a row has), `item_ids.npy`, and `manifest.json`, which is written last.
If captions have metadata parts, `metadata.npy` contains their vectors. A store may have fewer rows
than its files: rows are only appended, so a job that is killed between two files leaves the old
store valid.
"""

import hashlib
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float16, Int64, UInt8

from terraseek.catalogue import Catalogue
from terraseek.checksums import BlockCheck, block_checksums, damaged_block, small_enough
from terraseek.embeddings.row_reader import RowReader, map_rows
from terraseek.encoders.base import Encoder
from terraseek.errors import EncoderMismatchError, StoreCorruptError, StoreNotFoundError
from terraseek.files import ARRAY_ERRORS, read_json

__all__ = [
    "FORMAT",
    "HAS_CAPTION",
    "HAS_IMAGE",
    "HAS_METADATA",
    "PENDING_FILE",
    "EmbeddingStore",
    "Manifest",
    "TextKind",
    "array_checksums",
    "hash_ids",
    "store_folder",
    "store_names",
    "weights_and_preprocessing",
]

TextKind = Literal["captions", "metadata"]
"""Vectors of texts: captions (without metadata part), or metadata parts of captions."""

FORMAT = 1
"""Version of the files of a store."""
PENDING_FILE = "pending-checksums.json"
"""Checksums of files that are about to be replaced, until their manifest is written."""
_MOST_BLOCKS = 32
"""Blocks that a search waits for: half a gigabyte, once."""
HAS_IMAGE = 1
"""Bit of `flags`: `vectors` has a vector in this row; otherwise there is no usable image."""
HAS_CAPTION = 2
"""Bit of `flags`: `captions` has a vector in this row; otherwise the caption is blank."""
HAS_METADATA = 4
"""Bit of `flags`: `metadata` has a vector in this row; otherwise there is no metadata part."""


@dataclass(frozen=True)
class Manifest:
    """Description of a store; field names are the keys of the JSON file."""

    model: str
    """Name of the model."""
    encoder_id: str
    """Id of the encoder; vectors of different encoders cannot be compared."""
    weights_sha256: str | None
    """Digest of the weights; None if the encoder has none."""
    preprocessing: dict[str, Any] | None
    """Preprocessing of images, as in the model card."""
    dim: int
    """Length of the vectors."""
    dtype: str
    """Data type of the stored vectors."""
    normalised: bool
    """Whether rows have unit length (to the precision of `dtype`)."""
    count: int
    """Number of rows, which are the first of the catalogue."""
    unreadable: int
    """Number of rows without an image vector: the image could not be decoded, or there is none."""
    captioned: int
    """Number of rows with a caption vector."""
    item_ids_sha256: str
    """Digest of the item ids in row order."""
    created: str
    """Time of writing, UTC."""
    described: int = 0
    """Number of rows with a vector of their caption's metadata part."""
    format: int = FORMAT
    """Version of the files; those before it was written count as 1."""
    checksums: dict[str, list[str]] = field(default_factory=dict)
    """CRC-32 of each block of the first `count` rows, by name of the array; empty in older
    stores."""

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        return asdict(self)


def hash_ids(ids: np.ndarray) -> str:
    """Compute a digest of item ids (`S12`) in the given order."""
    return hashlib.sha256(np.ascontiguousarray(ids).view(np.uint8).data).hexdigest()


def array_checksums(path: Path, count: int) -> list[str]:
    """Compute the checksums of the first `count` rows of a `.npy` file, without its header."""
    start, width = _layout(path)
    return block_checksums(path, start, start + width * count)


def _layout(path: Path) -> tuple[int, int]:
    """Position of the first row of a `.npy` file, and bytes of a row."""
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    width = array.itemsize * int(np.prod(array.shape[1:]))
    return int(getattr(array, "offset", path.stat().st_size - array.nbytes)), width


def store_folder(catalogue: Catalogue, model: str) -> Path:
    """Return the folder for the vectors of a model; it may not exist yet."""
    return catalogue.path / "embeddings" / model


def store_names(catalogue: Catalogue) -> list[str]:
    """Return the models whose vectors the catalogue has, sorted."""
    return sorted(p.parent.name for p in (catalogue.path / "embeddings").glob("*/manifest.json"))


class EmbeddingStore:
    """Read-only view of stored vectors; open it with `open`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Wrap the files in `folder`; use `open` or `read`, which check them."""
        self.folder = folder
        """Folder of the files."""
        self.manifest = manifest
        """Description of the files."""
        self._checks: dict[str, BlockCheck] = {}

    def __repr__(self) -> str:
        known = self.manifest
        return (
            f"<EmbeddingStore {known.encoder_id}: {known.count - known.unreadable:,} images and "
            f"{known.captioned:,} captions of {known.count:,} items, {known.dim} dimensions, "
            f"{known.dtype}, {self.folder}>"
        )

    @classmethod
    def open(cls, catalogue: Catalogue, encoder: str | None = None) -> "EmbeddingStore":
        """Open the vectors of an encoder.

        Args:
            catalogue: with the vectors.
            encoder: name of a model, or an encoder id; None if there is only one store.

        Raises:
            StoreNotFoundError: there is no such store, or `encoder` is None and there are several.
            EncoderMismatchError: the vectors are of another version of the encoder.
            StoreCorruptError: files and manifest disagree, or the vectors are of other items.
        """
        name = (encoder or _only_store(catalogue)).split("@")[0]
        folder = store_folder(catalogue, name)
        if not (folder / "manifest.json").is_file():
            others = ", ".join(store_names(catalogue)) or "no model"
            raise StoreNotFoundError(
                f"the catalogue {catalogue.name} has no vectors of {name!r} (it has those of "
                f"{others}); run `terraseek embed {catalogue.path} --model {name}`"
            )
        store = cls.read(folder)
        if encoder is not None and "@" in encoder:
            store.check_encoder(encoder)
        # the ids of the store match its digest; comparing them is faster than another digest
        if not np.array_equal(catalogue.item_ids[: store.count], store.item_ids):
            raise StoreCorruptError(
                f"{folder} has other items than the catalogue; {_embed_hint(folder, name)}"
            )
        return store

    @classmethod
    def read(cls, folder: Path) -> "EmbeddingStore":
        """Open the store in a folder without comparing it with a catalogue.

        Raises:
            StoreCorruptError: files and manifest disagree.
        """
        store = cls(folder, _read_manifest(folder))
        store._check()
        return store

    def check_encoder(self, encoder_id: str) -> None:
        """Check that the vectors are of this encoder.

        Raises:
            EncoderMismatchError: they are of another one.
        """
        if encoder_id != self.manifest.encoder_id:
            catalogue, name = self.folder.parent.parent, encoder_id.split("@")[0]
            raise EncoderMismatchError(
                f"the vectors in {self.folder} are of {self.manifest.encoder_id}, the query is of "
                f"{encoder_id}; run `terraseek embed {catalogue} --model {name}`"
            )

    def _check(self) -> None:
        """Check that the files agree with the manifest."""
        count, dim = self.manifest.count, self.manifest.dim
        hint = _embed_hint(self.folder, self.manifest.model)
        try:
            names = ("vectors", "captions", *(("metadata",) if self.manifest.described else ()))
            shapes = [self._load(name).shape for name in names]
            lengths = [len(self._load(name)) for name in ("flags", "item_ids")]
            digest = hash_ids(self.item_ids)
        except ARRAY_ERRORS as error:
            raise StoreCorruptError(f"{self.folder} cannot be read ({error}); {hint}") from error
        if any(s[0] < count or s[1] != dim for s in shapes) or min(lengths) < count:
            raise StoreCorruptError(f"{self.folder} has fewer rows than its manifest says; {hint}")
        if digest != self.manifest.item_ids_sha256:
            raise StoreCorruptError(f"{self.folder} has other rows than its manifest says; {hint}")
        self.verify("flags")

    def verify(self, name: str) -> None:
        """Compare an array with the checksums of the manifest; nothing to do in older stores.

        Args:
            name: `vectors`, `captions`, `metadata` or `flags`.

        Raises:
            StoreCorruptError: a block has changed since it was written.
        """
        expected = self.manifest.checksums.get(name)
        if expected is None:
            return
        path = self.folder / f"{name}.npy"
        first = damaged_block(array_checksums(path, self.manifest.count), expected)
        if first is not None and not self._is_pending(name, path):
            raise self._changed(name, first)

    def _changed(self, name: str, block: int) -> StoreCorruptError:
        return StoreCorruptError(
            f"{self.folder / name}.npy has changed since it was written (block {block} of "
            f"{len(self.manifest.checksums[name])}); restore it from a backup, or remove "
            f"{self.folder} and {_embed_hint(self.folder, self.manifest.model)}"
        )

    def raise_if_changed(self) -> None:
        """Check that no block of the large arrays in use was found to have changed.

        Raises:
            StoreCorruptError: one has, by `check_rows` or in the background.
        """
        for name, check in self._checks.copy().items():
            if check.damaged is not None:
                raise self._changed(name, check.damaged)

    def check_rows(self, rows: Int64[np.ndarray, " m"]) -> None:
        """Compare the blocks of some rows with their checksums, in the large arrays in use.

        Each block is compared once. Small arrays were compared as a whole when they were mapped.

        Args:
            rows: the most important first; those beyond `_MOST_BLOCKS` blocks are left to the
                background.

        Raises:
            StoreCorruptError: a block has changed since it was written.
        """
        for check in self._checks.copy().values():
            width = 2 * self.manifest.dim
            check.check((int(row) * width for row in rows), _MOST_BLOCKS)
        self.raise_if_changed()

    def _is_pending(self, name: str, path: Path) -> bool:
        """Whether the file is the new one of a job that was killed before its manifest."""
        try:
            pending = read_json(self.folder / PENDING_FILE)
            expected = pending["checksums"][name]
            return damaged_block(array_checksums(path, pending["count"]), expected) is None
        except (*ARRAY_ERRORS, KeyError, TypeError):
            return False

    def _check_array(self, name: str) -> None:
        """Compare an array that is used first: a small one at once, a large one block by block."""
        path, expected = self.folder / f"{name}.npy", self.manifest.checksums.get(name)
        if expected is None or name in self._checks:
            return
        if small_enough(path) or (self.folder / PENDING_FILE).is_file():
            self.verify(name)
            return
        start, width = _layout(path)
        check = BlockCheck(path, expected, start, start + width * self.manifest.count)
        self._checks[name] = check
        check.start()

    def _load(self, name: str) -> np.ndarray:
        array: np.ndarray = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array

    @property
    def encoder_id(self) -> str:
        """Id of the encoder of the vectors."""
        return self.manifest.encoder_id

    @property
    def count(self) -> int:
        """Number of rows."""
        return self.manifest.count

    def __len__(self) -> int:
        return self.count

    @cached_property
    def item_ids(self) -> np.ndarray:
        """Item ids (`S12`) by row."""
        return np.asarray(self._load("item_ids")[: self.count])

    @cached_property
    def _mapped(self) -> tuple[np.ndarray, RowReader | None]:
        self._check_array("vectors")
        return map_rows(self.folder / "vectors.npy")

    @property
    def vectors(self) -> Float16[np.ndarray, "n dim"]:
        """Unit vectors of the images, mapped; rows without `HAS_IMAGE` are zero."""
        return self._mapped[0][: self.count]

    @property
    def vector_reader(self) -> RowReader | None:
        """Reader of rows of `vectors`; None if they can only be mapped."""
        return self._mapped[1]

    @cached_property
    def captions(self) -> Float16[np.ndarray, "n dim"]:
        """Unit vectors of the captions, mapped; rows without `HAS_CAPTION` are zero."""
        self._check_array("captions")
        return self._load("captions")[: self.count]

    @cached_property
    def metadata(self) -> Float16[np.ndarray, "n dim"] | None:
        """Unit vectors of the metadata parts of captions, mapped; None if no caption has one."""
        if not self.manifest.described:
            return None
        self._check_array("metadata")
        return self._load("metadata")[: self.count]

    @property
    def index_name(self) -> str:
        """Name of the folder of the index over `vectors`."""
        return "index"

    @property
    def text_kinds(self) -> tuple[TextKind, ...]:
        """Kinds of texts that have vectors."""
        found: list[TextKind] = []
        if self.manifest.captioned:
            found.append("captions")
        if self.manifest.described:
            found.append("metadata")
        return tuple(found)

    def text_store(self, kind: TextKind) -> "EmbeddingStore":
        """Return a view whose `vectors` are those of texts, for indexing and searching them."""
        return _TextStore(self, kind)

    @cached_property
    def flags(self) -> UInt8[np.ndarray, " n"]:
        """Bits `HAS_IMAGE`, `HAS_CAPTION` and `HAS_METADATA` of each row."""
        return np.asarray(self._load("flags")[: self.count])


class _TextStore(EmbeddingStore):
    """View of a store on its text vectors; see `EmbeddingStore.text_store`."""

    def __init__(self, store: EmbeddingStore, kind: TextKind) -> None:
        super().__init__(store.folder, store.manifest)
        self._kind = kind
        self._bit = HAS_CAPTION if kind == "captions" else HAS_METADATA
        self._store = store
        self._checks = store._checks

    @property
    def index_name(self) -> str:
        return f"index-{self._kind}"

    @cached_property
    def item_ids(self) -> np.ndarray:
        return self._store.item_ids

    @cached_property
    def _mapped(self) -> tuple[np.ndarray, RowReader | None]:
        if self._kind == "metadata" and not self.manifest.described:
            raise StoreNotFoundError(f"{self.folder} has no vectors of {self._kind}")
        self._check_array(self._kind)
        return map_rows(self.folder / f"{self._kind}.npy")

    @cached_property
    def flags(self) -> UInt8[np.ndarray, " n"]:
        return np.where(self._store.flags & self._bit, np.uint8(HAS_IMAGE), np.uint8(0))


def _embed_hint(folder: Path, model: str) -> str:
    return f"run `terraseek embed {folder.parent.parent} --model {model}`"


def _only_store(catalogue: Catalogue) -> str:
    names = store_names(catalogue)
    if len(names) == 1:
        return names[0]
    if not names:
        raise StoreNotFoundError(
            f"the catalogue {catalogue.name} has no vectors yet; "
            f"run `terraseek embed {catalogue.path}`"
        )
    raise StoreNotFoundError(
        f"the catalogue {catalogue.name} has vectors of {', '.join(names)}; choose one, "
        "for example with --model " + names[0]
    )


def _read_manifest(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    try:
        value = read_json(path)
        known = {f.name for f in fields(Manifest)}
        manifest = Manifest(**{k: v for k, v in value.items() if k in known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreCorruptError(
            f"{path} is damaged ({error}); embed the catalogue again"
        ) from error
    if manifest.format != FORMAT:
        raise StoreCorruptError(
            f"{path} has format {manifest.format!r}, this TerraSeek reads {FORMAT}; update "
            "TerraSeek"
        )
    if manifest.dtype != "float16" or manifest.normalised is not True:
        raise StoreCorruptError(
            f"{path} says dtype {manifest.dtype!r} and normalised {manifest.normalised!r}; stores "
            f"have float16 vectors of unit length; {_embed_hint(folder, folder.name)}"
        )
    return manifest


def weights_and_preprocessing(encoder: Encoder) -> tuple[str | None, dict[str, Any] | None]:
    """Return digest of the weights and preprocessing of an encoder; None without a model card."""
    card = encoder.card
    if card is None:
        return None, None
    return card.weights.sha256, asdict(card.preprocess)
