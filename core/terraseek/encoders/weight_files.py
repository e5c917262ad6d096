"""Where weights lie on disk, and whether they are the bytes their card describes.

Hashing gigabytes at every start would be slow, so a digest is remembered with the file's path,
size, inode and times; a file that changed has other ones and is hashed again.
"""

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from terraseek.encoders.cards import ModelCard
from terraseek.errors import WeightsChecksumError, WeightsNotFoundError
from terraseek.files import atomic_path, home, read_json, sha256_of, write_json

__all__ = [
    "VerifiedWeights",
    "find_weights",
    "keep_copy",
    "remember_pin",
    "verify",
    "weights_folder",
]

_SHIPPED = Path(__file__).parent / "weights"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class VerifiedWeights:
    """A weights file whose bytes were checked."""

    path: Path
    sha256: str
    """Hex digest of what is on disk."""


def weights_folder() -> Path:
    """Where fetched weights are kept; it need not exist."""
    return home() / "models" / "weights"


def find_weights(card: ModelCard) -> Path | None:
    """Path of a card's weights file, or None if it is not on this machine."""
    named = Path(card.weights.file)
    places = [named] if named.is_absolute() else [_SHIPPED / named, weights_folder() / named]
    return next((place for place in places if place.is_file()), None)


def verify(card: ModelCard) -> VerifiedWeights:
    """Find a card's weights and check their sha256.

    A card without a digest trusts what `remember_pin` kept when the file was fetched, or else
    the file as it is: then only the encoder id tells two versions apart.

    Raises:
        WeightsNotFoundError: the file is not on this machine.
        WeightsChecksumError: its bytes are not those the card describes.
    """
    path = find_weights(card)
    if path is None:
        raise WeightsNotFoundError(_how_to_get(card))
    digest = _digest(path)
    expected = card.weights.sha256 or _pinned(path)
    if expected is not None and digest != expected:
        raise WeightsChecksumError(
            f"weights of {card.name!r} at {path} have sha256 {digest[:12]}…, expected "
            f"{expected[:12]}…; the file is damaged or another version: get it again, or register "
            "it under a new name with `terraseek models add`"
        )
    return VerifiedWeights(path, digest)


def keep_copy(card: ModelCard) -> ModelCard:
    """The card of a verified copy of its weights in the user's folder, named after the model."""
    weights = verify(card)
    target = weights_folder() / f"{card.name}{weights.path.suffix}"
    with atomic_path(target) as part:
        shutil.copyfile(weights.path, part)
    copied = replace(card, weights=replace(card.weights, file=target.name, sha256=weights.sha256))
    verify(copied)
    return copied


def remember_pin(path: Path, sha256: str) -> None:
    """Keep the digest a fetched file had, for cards that name none."""
    write_json(_pin_path(path), {"sha256": sha256})


def _how_to_get(card: ModelCard) -> str:
    if card.hub is not None:
        return (
            f"weights of {card.name!r} are not on this machine; `terraseek models fetch "
            f"{card.name}` gets them from {card.hub.repo}"
        )
    if Path(card.weights.file).is_absolute():
        return f"weights of {card.name!r} are gone from {card.weights.file}; put the file back"
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
    """SHA-256 of a file, from memory if the file has not changed since."""
    path = path.resolve()
    state = path.stat()
    key = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
    known = _remembered()
    entry = known.get(str(path))
    if isinstance(entry, dict) and entry.get("state") == key:
        return str(entry["sha256"])
    digest = sha256_of(path)
    try:
        write_json(_memory(), {**known, str(path): {"state": key, "sha256": digest}})
    except OSError as error:  # a read-only home costs time, not the model
        _log.info("checksums are not remembered: %s", error)
    return digest


def _memory() -> Path:
    return home() / "checksums.json"


def _remembered() -> dict[str, Any]:
    try:
        known = read_json(_memory())
    except (OSError, ValueError):  # absent or damaged: hash again
        return {}
    return known if isinstance(known, dict) else {}
