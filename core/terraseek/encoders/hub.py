"""Published weights, fetched once from the Hugging Face hub or a mirror of it.

`HF_ENDPOINT` names a mirror, `HF_TOKEN` opens gated repositories, `HF_HUB_OFFLINE=1` forbids any
connection; all are huggingface_hub's own settings, as are the usual proxy variables. A file takes
its place only after its sha256 was compared with the card's, or with the one the hub states for it.
What came before a connection broke or the process was killed is kept, and the next fetch goes on
from there; huggingface_hub itself begins anew in every process.
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
    remember_pin,
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


def fetch_weights(card: ModelCard, progress: Progress = silent) -> VerifiedWeights:
    """Get a card's weights onto this machine; a file that is there is only checked.

    After a failure the next call goes on where this one stopped, in whatever process.

    Args:
        card: one with a `hub` entry.
        progress: reports megabytes.

    Raises:
        WeightsNotFoundError: the card names no place, or the place does not give the file.
        WeightsChecksumError: what came is not what the card or the hub describes.
        Cancelled: `progress` asked to stop; nothing half-written is left.
    """
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
    with _alone(card, card.hub, work):
        try:
            part, digest = _download(card, card.hub, work, progress)
        except (WeightsChecksumError, Cancelled):
            shutil.rmtree(work, ignore_errors=True)
            raise
        os.replace(part, target)
        remember_pin(target, digest)
        shutil.rmtree(work, ignore_errors=True)
    return verify(card)


@contextmanager
def _alone(card: ModelCard, hub: HubFile, work: Path) -> Iterator[None]:
    """Hold the folder against other processes; the lock of one that was killed is free."""
    from filelock import FileLock, Timeout

    work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise _refused(card, hub, "another process is fetching it; wait for that") from error
    try:
        yield
    finally:
        lock.release()
        if work.is_dir() and [entry.name for entry in work.iterdir()] in ([], [_LOCK]):
            shutil.rmtree(work, ignore_errors=True)


def _origin(card: ModelCard) -> str:
    return f" (source: {card.source})" if card.source else ""


def _download(card: ModelCard, hub: HubFile, work: Path, progress: Progress) -> tuple[Path, str]:
    """Path and digest of the fetched and checked file inside `work`."""
    import huggingface_hub as client

    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    url = client.hf_hub_url(hub.repo, hub.file, revision=hub.revision, endpoint=endpoint)
    expected = card.weights.sha256
    with _explained(card, hub, work):
        stated = client.get_hf_file_metadata(url)
        etag = stated.etag or ""
        if _SHA256.fullmatch(etag):  # else the file is small and its etag is of another kind
            expected = expected or etag
            _compare(card, hub, etag, expected)  # before gigabytes travel
        part = _begun(work, etag or str(stated.commit_hash))
        _need_space(part, stated.size, card, hub)
        _go_on(part, url, stated, progress)
    digest = sha256_of(part)
    if expected is not None:
        _compare(card, hub, digest, expected)
    return part, digest


def _begun(work: Path, version: str) -> Path:
    """The file this version of the weights is gathered in; what is left of others is removed."""
    part = work / f"{hashlib.sha256(version.encode()).hexdigest()[:16]}.part"
    for other in work.iterdir():
        if other not in (part, work / _LOCK):
            other.unlink()
    return part


def _need_space(part: Path, size: int | None, card: ModelCard, hub: HubFile) -> None:
    here = part.stat().st_size if part.exists() else 0
    free = shutil.disk_usage(part.parent).free
    if size is not None and size - here > free:
        raise _refused(
            card, hub, f"it needs {(size - here) / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free"
        )


def _go_on(part: Path, url: str, stated: Any, progress: Progress) -> None:  # noqa: ANN401
    """Append what is missing; the client's own download repeats broken connections five times."""
    from huggingface_hub.file_download import http_get

    # documented, yet not among the names its module lists
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    headers = build_hf_headers()
    if urlsplit(stated.location).netloc != urlsplit(url).netloc:
        headers.pop("authorization", None)  # a signed address elsewhere must not see the token
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
def _explained(card: ModelCard, hub: HubFile, work: Path) -> Iterator[None]:
    """The hub client's errors as one of ours that says what to do."""
    from huggingface_hub import errors

    lost: type[Exception] = errors.HfHubHTTPError.__bases__[0]  # root of its transport's errors
    try:
        yield
    # in this order: each is a kind of a later one
    except errors.GatedRepoError as error:
        raise _refused(card, hub, "it is gated: accept its terms and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise _refused(card, hub, "no such repository, or it needs HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise _refused(card, hub, f"it has no revision {hub.revision}") from error
    except errors.LocalEntryNotFoundError as error:
        raise _refused(card, hub, "no connection") from error
    except errors.EntryNotFoundError as error:
        raise _refused(card, hub, f"it has no file {hub.file}") from error
    except errors.OfflineModeIsEnabled as error:
        raise _refused(card, hub, "HF_HUB_OFFLINE is set") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        why = "it needs a valid HF_TOKEN" if status == 401 else f"the hub answered {status}"
        raise _refused(card, hub, why) from error
    except lost as error:
        raise _refused(card, hub, f"no connection ({type(error).__name__})") from error
    except OSError as error:  # size other than announced, disk full, no permission
        if error.errno in _FULL:
            shutil.rmtree(work, ignore_errors=True)  # or the disk stays full
            raise _refused(card, hub, f"the disk is full ({error.strerror})") from error
        raise _refused(card, hub, str(error)) from error


def _compare(card: ModelCard, hub: HubFile, got: str, expected: str) -> None:
    if got != expected:
        raise WeightsChecksumError(
            f"weights of {card.name!r} from {hub.repo} have sha256 {got[:12]}…, expected "
            f"{expected[:12]}…; nothing was kept: fetch again, or ask the publisher"
        )


def _refused(card: ModelCard, hub: HubFile, why: str) -> WeightsNotFoundError:
    return WeightsNotFoundError(
        f"weights of {card.name!r} could not be fetched from {hub.repo}: {why}; a copy can be put "
        f"into {weights_folder()} as {card.weights.file}"
    )


def _reporting_bar(progress: Progress) -> type:
    """A progress bar class for huggingface_hub that draws nothing and reports megabytes."""

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
