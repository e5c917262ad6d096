"""Fetch published weights from the Hugging Face hub or a mirror of it.

`HF_ENDPOINT` sets a mirror, `HF_TOKEN` gives access to gated repositories, `HF_HUB_OFFLINE=1`
forbids connections; these are settings of huggingface_hub, as are the usual proxy variables. A file
is moved to its place only after its sha256 was compared with that of the card, or else with the one
stated by the hub. An interrupted download is resumed by the next fetch, in any process;
huggingface_hub itself would start again.
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from terraseek.encoders.cards import HubFile, ModelCard
from terraseek.encoders.weight_files import (
    VerifiedWeights,
    find_weights,
    pin_checksum,
    tokenizer_as_weights,
    verify,
    weights_folder,
)
from terraseek.errors import Cancelled, WeightsChecksumError, WeightsNotFoundError
from terraseek.files import sha256_of
from terraseek.progress import Progress, silent

__all__ = ["fetch_weights"]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LOCK = "lock"
_MB = 1 << 20
_PIECE = 1 << 14
"""Bytes that are written at once. The client's 10 MB are lost when a connection breaks in them, so
that a connection that breaks every few MB never gets further."""


def fetch_weights(card: ModelCard, progress: Progress = silent) -> VerifiedWeights:
    """Download a card's weights and its tokenizer; files that exist are only verified.

    After a failure the next call resumes the download, in any process.

    Args:
        card: one with a `hub` entry.
        progress: called with megabytes.

    Raises:
        WeightsNotFoundError: the card has no `hub` entry, or the file cannot be downloaded.
        WeightsChecksumError: the checksum is not that of the card or the hub.
        Cancelled: `progress` asked to stop; no partial file is left.
    """
    if (tokenizer := tokenizer_as_weights(card)) is not None:
        fetch_weights(tokenizer, progress)
    if find_weights(card) is not None:
        return verify(card)
    if card.hub is None or Path(card.weights.file).is_absolute():
        raise WeightsNotFoundError(
            f"the card of {card.name!r} names no place to fetch weights from; put "
            f"{card.weights.file} into {weights_folder()}{_origin(card)}, or register a file with "
            "`terraseek models add`"
        )
    target = weights_folder() / card.weights.file
    work = weights_folder() / f".fetch-{card.name}"
    with _locked(card, card.hub, work):
        try:
            part, digest = _download(card, card.hub, work, progress)
        except (WeightsChecksumError, Cancelled):
            shutil.rmtree(work, ignore_errors=True)
            raise
        os.replace(part, target)
        pin_checksum(target, digest)
        shutil.rmtree(work, ignore_errors=True)
    return verify(card)


@contextmanager
def _locked(card: ModelCard, hub: HubFile, work: Path) -> Iterator[None]:
    """Lock the folder against other processes; the lock of a killed process is released."""
    from filelock import FileLock, Timeout

    work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise _fetch_error(card, hub, "another process is fetching it; wait for that") from error
    try:
        yield
    finally:
        lock.release()
        if work.is_dir() and [entry.name for entry in work.iterdir()] in ([], [_LOCK]):
            shutil.rmtree(work, ignore_errors=True)


def _origin(card: ModelCard) -> str:
    return f" (source: {card.source})" if card.source else ""


def _download(card: ModelCard, hub: HubFile, work: Path, progress: Progress) -> tuple[Path, str]:
    """Download to `work` and verify; return path and digest."""
    import huggingface_hub as client

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    url = client.hf_hub_url(hub.repo, hub.file, revision=hub.revision, endpoint=endpoint)
    expected = card.weights.sha256
    with _translated_errors(card, hub, work):
        stated = client.get_hf_file_metadata(url)
        etag = stated.etag or ""
        if _SHA256.fullmatch(etag):  # small files have etags of another kind
            expected = expected or etag
            _compare(card, hub, etag, expected)  # before the download
        part = _part_file(work, etag or str(stated.commit_hash))
        _check_space(part, stated.size, card, hub)
        _resume(part, url, stated, progress)
    digest = sha256_of(part)
    if expected is not None:
        _compare(card, hub, digest, expected)
    return part, digest


def _part_file(work: Path, version: str) -> Path:
    """Path of the partial file of this version; partial files of other versions are removed."""
    part = work / f"{hashlib.sha256(version.encode()).hexdigest()[:16]}.part"
    for other in work.iterdir():
        if other not in (part, work / _LOCK):
            other.unlink()
    return part


def _check_space(part: Path, size: int | None, card: ModelCard, hub: HubFile) -> None:
    here = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(part.parent).free
    if size is not None and size - here > free:
        raise _fetch_error(
            card, hub, f"it needs {(size - here) / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free"
        )


def _resume(part: Path, url: str, stated: Any, progress: Progress) -> None:  # noqa: ANN401
    """Append the missing bytes; the client retries a broken connection five times."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get

    # documented, but not in `__all__` of its module
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    constants.DOWNLOAD_CHUNK_SIZE = min(constants.DOWNLOAD_CHUNK_SIZE, _PIECE)
    headers = build_hf_headers()
    if urlsplit(stated.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # do not send the token to another host
    with part.open("ab") as file:
        http_get(
            stated.location,
            file,
            resume_size=file.tell(),
            headers=headers,
            expected_size=stated.size,
            tqdm_class=_reporting_bar(progress),
        )


@contextmanager
def _translated_errors(card: ModelCard, hub: HubFile, work: Path) -> Iterator[None]:
    """Translate errors of the hub client to `WeightsNotFoundError`."""
    from huggingface_hub import errors

    connection_error: type[Exception] = errors.HfHubHTTPError.__bases__[0]
    try:
        yield
    # in this order: subclasses first
    except errors.GatedRepoError as error:
        raise _fetch_error(card, hub, "it is gated: accept its terms and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise _fetch_error(card, hub, "no such repository, or it needs HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise _fetch_error(card, hub, f"it has no revision {hub.revision}") from error
    except errors.LocalEntryNotFoundError as error:
        raise _fetch_error(card, hub, "no connection") from error
    except errors.EntryNotFoundError as error:
        raise _fetch_error(card, hub, f"it has no file {hub.file}") from error
    except errors.OfflineModeIsEnabled as error:
        raise _fetch_error(card, hub, "HF_HUB_OFFLINE is set") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        why = "it needs a valid HF_TOKEN" if status == 401 else f"the hub answered {status}"
        raise _fetch_error(card, hub, why) from error
    except connection_error as error:
        raise _fetch_error(card, hub, f"no connection ({type(error).__name__})") from error
    except OSError as error:  # wrong size, disk full, no permission
        if error.errno in _FULL:
            shutil.rmtree(work, ignore_errors=True)  # free the space
            raise _fetch_error(card, hub, f"the disk is full ({error.strerror})") from error
        raise _fetch_error(card, hub, str(error)) from error


def _compare(card: ModelCard, hub: HubFile, got: str, expected: str) -> None:
    if got != expected:
        raise WeightsChecksumError(
            f"weights of {card.name!r} from {hub.repo} have sha256 {got[:12]}…, expected "
            f"{expected[:12]}…; the file was deleted: fetch again, or ask the publisher"
        )


def _fetch_error(card: ModelCard, hub: HubFile, why: str) -> WeightsNotFoundError:
    return WeightsNotFoundError(
        f"weights of {card.name!r} could not be fetched from {hub.repo}: {why}; a copy can be put "
        f"into {weights_folder()} as {card.weights.file}"
    )


def _reporting_bar(progress: Progress) -> type:
    """Create a progress bar class for huggingface_hub that calls `progress` with megabytes."""

    class Bar:
        def __init__(self, *_: object, **facts: Any) -> None:  # noqa: ANN401 - tqdm's arguments
            self.total = facts.get("total") or 0
            self.n = facts.get("initial") or 0

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            progress("fetch weights (MB)", int(self.n) // _MB, int(self.total) // _MB)

        def close(self) -> None:
            pass

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    return Bar
