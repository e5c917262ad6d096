"""Vectors of a catalogue's items by one encoder, on disk and mapped into memory.

`CATALOGUE/embeddings/NAME/` holds `vectors.npy` and `captions.npy` (float16, a row an item),
`flags.npy` (which of them a row has), `item_ids.npy`, and `manifest.json`, written last; where
captions have metadata parts, `metadata.npy` holds those. A store
may cover fewer rows than its files hold: rows are only appended, so a job that was killed between
two files leaves the old answer.
"""

import hashlib
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float16, UInt8

from terraseek.catalogue import Catalogue
from terraseek.embeddings.row_reader import RowReader, map_rows
from terraseek.encoders.base import Encoder
from terraseek.errors import EncoderMismatchError, StoreCorruptError, StoreNotFoundError
from terraseek.files import read_json

__all__ = [
    "HAS_CAPTION",
    "HAS_IMAGE",
    "HAS_METADATA",
    "EmbeddingStore",
    "Manifest",
    "hash_ids",
    "store_folder",
    "store_names",
    "weights_of",
]

HAS_IMAGE = 1
"""Bit of `flags`: the row of `vectors` is a vector; otherwise the image could not be decoded."""
HAS_CAPTION = 2
"""Bit of `flags`: the row of `captions` is a vector; otherwise the caption is blank."""
HAS_METADATA = 4
"""Bit of `flags`: the row of `metadata` is a vector; otherwise the caption has no such part."""


@dataclass(frozen=True)
class Manifest:
    """What a store's files are."""

    model: str
    """Name of the model card."""
    encoder_id: str
    """Id of the encoder; vectors of another one cannot be compared."""
    weights_sha256: str | None
    """Digest of the weights, where the encoder has any."""
    preprocessing: dict[str, Any] | None
    """How images were prepared, as in the model card."""
    dim: int
    """Length of the vectors."""
    dtype: str
    """Of the stored numbers."""
    normalised: bool
    """Whether rows have unit length (to the precision of `dtype`)."""
    count: int
    """Rows, which are the first of the catalogue."""
    unreadable: int
    """Rows whose image could not be decoded; they are never found."""
    captioned: int
    """Rows with a caption vector."""
    item_ids_sha256: str
    """Digest over the item ids in row order."""
    created: str
    """When it was written, UTC."""
    described: int = 0
    """Rows with a vector of their caption's metadata part."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def hash_ids(ids: np.ndarray) -> str:
    """Digest over item ids (`S12`) in their order."""
    return hashlib.sha256(np.ascontiguousarray(ids).view(np.uint8).data).hexdigest()


def store_folder(catalogue: Catalogue, model: str) -> Path:
    """Where the vectors of a model are or will be."""
    return catalogue.path / "embeddings" / model


def store_names(catalogue: Catalogue) -> list[str]:
    """Models whose vectors the catalogue has, sorted."""
    return sorted(p.parent.name for p in (catalogue.path / "embeddings").glob("*/manifest.json"))


class EmbeddingStore:
    """Read-only view of stored vectors; use `open`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        """Where its files are."""
        self.manifest = manifest
        """What they are."""

    @classmethod
    def open(cls, catalogue: Catalogue, encoder: str | None = None) -> "EmbeddingStore":
        """Open the vectors of an encoder.

        Args:
            catalogue: whose vectors.
            encoder: name of a model, or an encoder id; None takes the only store there is.

        Raises:
            StoreNotFoundError: there are none, or several and none was named.
            EncoderMismatchError: they were made by another version of the encoder.
            StoreCorruptError: files and manifest disagree, or they are of other items.
        """
        name = (encoder or _only(catalogue)).split("@")[0]
        folder = store_folder(catalogue, name)
        if not (folder / "manifest.json").is_file():
            others = ", ".join(store_names(catalogue)) or "no model"
            raise StoreNotFoundError(
                f"the catalogue {catalogue.name} has no vectors of {name!r} (it has those of "
                f"{others}); run `terraseek embed {catalogue.path} --model {name}`"
            )
        store = cls.read(folder)
        if encoder is not None and "@" in encoder:
            store.refuse_other(encoder)
        # those of the store fit its digest, which was looked at; comparing is quicker than another
        if not np.array_equal(catalogue.item_ids[: store.count], store.item_ids):
            raise StoreCorruptError(
                f"{folder} is of other items than the catalogue; {_again(folder, name)}"
            )
        return store

    @classmethod
    def read(cls, folder: Path) -> "EmbeddingStore":
        """The store in a folder, whatever catalogue it is of.

        Raises:
            StoreCorruptError: files and manifest disagree.
        """
        store = cls(folder, _read_manifest(folder))
        store._check()
        return store

    def refuse_other(self, encoder_id: str) -> None:
        """Raise unless the vectors are those of this encoder.

        Raises:
            EncoderMismatchError: they are not.
        """
        if encoder_id != self.manifest.encoder_id:
            catalogue, name = self.folder.parent.parent, encoder_id.split("@")[0]
            raise EncoderMismatchError(
                f"the vectors in {self.folder} are of {self.manifest.encoder_id}, the query is of "
                f"{encoder_id}; run `terraseek embed {catalogue} --model {name}`"
            )

    def _check(self) -> None:
        """Refuse files that are not what the manifest says."""
        count, dim = self.manifest.count, self.manifest.dim
        again = _again(self.folder, self.manifest.model)
        try:
            names = ("vectors", "captions", *(("metadata",) if self.manifest.described else ()))
            shapes = [self._load(name).shape for name in names]
            lengths = [len(self._load(name)) for name in ("flags", "item_ids")]
            digest = hash_ids(self.item_ids)
        except (OSError, EOFError, ValueError) as error:
            raise StoreCorruptError(f"{self.folder} cannot be read ({error}); {again}") from error
        if any(s[0] < count or s[1] != dim for s in shapes) or min(lengths) < count:
            raise StoreCorruptError(f"{self.folder} has fewer rows than its manifest says; {again}")
        if digest != self.manifest.item_ids_sha256:
            raise StoreCorruptError(f"{self.folder} holds other rows than it says; {again}")

    def _load(self, name: str) -> np.ndarray:
        array: np.ndarray = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array

    @property
    def encoder_id(self) -> str:
        """Id of the encoder that made the vectors."""
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
        return map_rows(self.folder / "vectors.npy")

    @property
    def vectors(self) -> Float16[np.ndarray, "n dim"]:
        """Unit vectors of the images, mapped; rows without `HAS_IMAGE` are zero."""
        return self._mapped[0][: self.count]

    @property
    def vector_reader(self) -> RowReader | None:
        """Reads rows of `vectors`; None where they can only be mapped."""
        return self._mapped[1]

    @cached_property
    def captions(self) -> Float16[np.ndarray, "n dim"]:
        """Unit vectors of the captions, mapped; rows without `HAS_CAPTION` are zero."""
        return self._load("captions")[: self.count]

    @cached_property
    def metadata(self) -> Float16[np.ndarray, "n dim"] | None:
        """Unit vectors of the metadata parts of captions, mapped; None where no caption has one."""
        return self._load("metadata")[: self.count] if self.manifest.described else None

    @property
    def index_name(self) -> str:
        """Folder of the index over `vectors`."""
        return "index"

    @property
    def sides(self) -> tuple[Literal["captions", "metadata"], ...]:
        """Kinds of words that have vectors."""
        found: list[Literal["captions", "metadata"]] = []
        if self.manifest.captioned:
            found.append("captions")
        if self.manifest.described:
            found.append("metadata")
        return tuple(found)

    def words(self, side: Literal["captions", "metadata"]) -> "EmbeddingStore":
        """The vectors of words in the place of the images', to be searched and indexed alike."""
        return _Words(self, side)

    @cached_property
    def flags(self) -> UInt8[np.ndarray, " n"]:
        """Bits `HAS_IMAGE`, `HAS_CAPTION` and `HAS_METADATA` of each row."""
        return np.asarray(self._load("flags")[: self.count])


class _Words(EmbeddingStore):
    """A store seen from its captions; see `EmbeddingStore.words`."""

    def __init__(self, store: EmbeddingStore, side: Literal["captions", "metadata"]) -> None:
        super().__init__(store.folder, store.manifest)
        self._side = side
        self._bit = HAS_CAPTION if side == "captions" else HAS_METADATA
        self._store = store

    @property
    def index_name(self) -> str:
        return f"index-{self._side}"

    @cached_property
    def item_ids(self) -> np.ndarray:
        return self._store.item_ids

    @cached_property
    def _mapped(self) -> tuple[np.ndarray, RowReader | None]:
        if self._side == "metadata" and not self.manifest.described:
            raise StoreNotFoundError(f"{self.folder} has no vectors of {self._side}")
        return map_rows(self.folder / f"{self._side}.npy")

    @cached_property
    def flags(self) -> UInt8[np.ndarray, " n"]:
        return np.where(self._store.flags & self._bit, np.uint8(HAS_IMAGE), np.uint8(0))


def _again(folder: Path, model: str) -> str:
    return f"run `terraseek embed {folder.parent.parent} --model {model}`"


def _only(catalogue: Catalogue) -> str:
    names = store_names(catalogue)
    if len(names) == 1:
        return names[0]
    if not names:
        raise StoreNotFoundError(
            f"the catalogue {catalogue.name} has no vectors yet; "
            f"run `terraseek embed {catalogue.path}`"
        )
    raise StoreNotFoundError(
        f"the catalogue {catalogue.name} has vectors of {', '.join(names)}; say which, "
        "for example with --model " + names[0]
    )


def _read_manifest(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    try:
        value = read_json(path)
        known = {f.name for f in fields(Manifest)}
        return Manifest(**{k: v for k, v in value.items() if k in known})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise StoreCorruptError(
            f"{path} is damaged ({error}); embed the catalogue again"
        ) from error


def weights_of(encoder: Encoder) -> tuple[str | None, dict[str, Any] | None]:
    """Digest of an encoder's weights and its preprocessing, where it has a model card."""
    card = encoder.card
    if card is None:
        return None, None
    return card.weights.sha256, asdict(card.preprocess)
