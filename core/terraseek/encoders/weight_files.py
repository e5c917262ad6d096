"""Weights files on disk: find them, verify their checksum, copy them.

Hashing gigabytes at every start would be slow, so a digest is cached with the file's path, size,
inode and times. A changed file has other values and is hashed again.
"""

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from terraseek.encoders.cards import ModelCard, WeightsFile
from terraseek.errors import WeightsChecksumError, WeightsNotFoundError
from terraseek.files import atomic_path, home, read_json, sha256_of, write_json

__all__ = [
    "VerifiedWeights",
    "copy_weights",
    "find_tokenizer",
    "find_weights",
    "pin_checksum",
    "tokenizer_as_weights",
    "verify",
    "weights_folder",
]

_SHIPPED = Path(__file__).parent / "weights"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VerifiedWeights:
    """A weights file whose checksum was verified."""

    path: Path
    sha256: str
    """Hex digest of the file on disk."""


def weights_folder() -> Path:
    """Return the folder for fetched weights; it may not exist yet."""
    return home() / "models" / "weights"


def find_weights(card: ModelCard) -> Path | None:
    """Return the path of a card's weights file, or None if it is not on this machine."""
    named = Path(card.weights.file)
    places = [named] if named.is_absolute() else [_SHIPPED / named, weights_folder() / named]
    return next((place for place in places if place.is_file()), None)


def tokenizer_as_weights(card: ModelCard) -> ModelCard | None:
    """Return a card whose weights file is the tokenizer of `card`; None if it has none.

    So the tokenizer is found, fetched and verified by the same rules as weights.
    """
    if card.tokenizer is None:
        return None
    file, hub = card.tokenizer, card.hub
    if hub is not None and file.hub_file is not None:
        hub = replace(hub, file=file.hub_file)
    else:
        hub = None
    weights = WeightsFile(file.file, file.sha256)
    return replace(card, weights=weights, hub=hub, tokenizer=None)


def find_tokenizer(card: ModelCard) -> Path:
    """Return the path of a card's tokenizer after verifying its checksum.

    Raises:
        WeightsNotFoundError: it is not on this machine.
        WeightsChecksumError: its checksum is not the expected one.
    """
    file = tokenizer_as_weights(card)
    assert file is not None
    if find_weights(file) is None:
        fetch = f"run `terraseek models fetch {card.name}`, or " if file.hub is not None else ""
        raise WeightsNotFoundError(
            f"the tokenizer of {card.name!r} is not on this machine; {fetch}put the tokenizer.json "
            f"of its publisher into {weights_folder()} as {file.weights.file}"
        )
    return verify(file).path


def verify(card: ModelCard) -> VerifiedWeights:
    """Find a card's weights and verify their sha256.

    If the card has no digest, the one that `pin_checksum` stored when the file was fetched is used.
    If there is none either, any file is accepted, and only the encoder id distinguishes versions.

    Raises:
        WeightsNotFoundError: the file is not on this machine.
        WeightsChecksumError: its checksum is not the expected one.
    """
    path = find_weights(card)
    if path is None:
        raise WeightsNotFoundError(_missing_message(card))
    digest = _digest(path)
    expected = card.weights.sha256 or _pinned(path)
    if expected is not None and digest != expected:
        raise WeightsChecksumError(
            f"weights of {card.name!r} at {path} have sha256 {digest[:12]}…, expected "
            f"{expected[:12]}…; the file is damaged or another version: get it again, or register "
            "it under a new name with `terraseek models add`"
        )
    return VerifiedWeights(path, digest)


def copy_weights(card: ModelCard) -> ModelCard:
    """Copy a card's weights to the user's folder, and return a card that refers to the copy."""
    weights = verify(card)
    target = weights_folder() / f"{card.name}{weights.path.suffix}"
    with atomic_path(target) as part:
        shutil.copyfile(weights.path, part)
    copied = replace(card, weights=replace(card.weights, file=target.name, sha256=weights.sha256))
    verify(copied)
    return copied


def pin_checksum(path: Path, sha256: str) -> None:
    """Store the digest of a fetched file, for cards that have none."""
    write_json(_pin_path(path), {"sha256": sha256})


def _missing_message(card: ModelCard) -> str:
    if card.hub is not None:
        return (
            f"weights of {card.name!r} are not on this machine; `terraseek models fetch "
            f"{card.name}` gets them from {card.hub.repo}"
        )
    if Path(card.weights.file).is_absolute():
        return f"weights of {card.name!r} are missing from {card.weights.file}; restore the file"
    return (
        f"weights of {card.name!r} are not on this machine; put {card.weights.file} into "
        f"{weights_folder()}"
    )


def _pin_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256.json")


def _pinned(path: Path) -> str | None:
    pin = _pin_path(path)
    return str(read_json(pin)["sha256"]) if pin.is_file() else None


def _digest(path: Path) -> str:
    """SHA-256 of a file, from the cache if the file has not changed."""
    path = path.resolve()
    state = path.stat()
    key = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
    known = _cached_digests()
    entry = known.get(str(path))
    if isinstance(entry, dict) and entry.get("state") == key:
        return str(entry["sha256"])
    digest = sha256_of(path)
    try:
        write_json(_cache_path(), {**known, str(path): {"state": key, "sha256": digest}})
    except OSError as error:  # a read-only home only costs time
        _log.info("checksums are not cached: %s", error)
    return digest


def _cache_path() -> Path:
    return home() / "checksums.json"


def _cached_digests() -> dict[str, Any]:
    try:
        known = read_json(_cache_path())
    except (OSError, ValueError):  # missing or damaged: hash again
        return {}
    return known if isinstance(known, dict) else {}
