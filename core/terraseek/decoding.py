"""The one place that guards decoders of foreign bytes: whatever they raise becomes a `SceneError`.

Pillow and GDAL raise SyntaxError, TypeError, struct.error, UnicodeDecodeError and others for
damaged files. Every call into a decoder is made within `guarded`, so that one file cannot stop an
import and its error is one line about that file.
"""

import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from terraseek.errors import (
    ConfigError,
    SceneError,
    SceneTooLargeError,
    SceneTooSlowError,
    TerraSeekError,
    TruncatedImageError,
    UnsupportedSceneError,
)

__all__ = ["TimeLimit", "check_time", "failure", "guarded", "quiet"]

# Pillow warns of EXIF and other metadata that it ignores; for the process, as threads decode
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# and logs an error, without the name of the file, for TIFF files that GDAL reads
logging.getLogger("PIL.TiffImagePlugin").setLevel(logging.CRITICAL)


class _Quiet:
    """Ignores warnings while any thread is inside of it.

    `warnings.catch_warnings` restores the filters of the process: of two threads, the one that
    leaves first ends the silence of the other.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._catch = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._catch = warnings.catch_warnings()
                self._catch.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._catch.__exit__(None, None, None)


quiet = _Quiet()
"""Context of calls into libraries that warn of what is known: no georeference, ignored EXIF."""

_MAX_REASON = 160
_MISSING_CODEC = ("missing codec", "compression scheme", "no decoder", "decoder jxl")


class TimeLimit:
    """Context of the decoding of one file, which is stopped after seconds of processor time.

    Time adds up over all entries of the same object. Decoders cannot be interrupted, so that
    `check_time` is called between the blocks of a file. Waiting for a disk does not count.
    """

    def __init__(self, name: str, seconds: float | None = None) -> None:
        """Limit the decoding of a file.

        Args:
            name: name of the file in the error.
            seconds: processor time; None takes `TERRASEEK_MAX_SECONDS`, else 300.

        Raises:
            ConfigError: the setting is no positive number.
        """
        self._name = name
        self._seconds = _max_seconds() if seconds is None else seconds
        self._spent = self._began = 0.0
        self._outer: TimeLimit | None = None

    def __enter__(self) -> None:
        self._outer = getattr(_LOCAL, "limit", None)
        _LOCAL.limit = self
        self._began = time.thread_time()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        _LOCAL.limit = self._outer
        self._spent += time.thread_time() - self._began
        self._began = time.thread_time()
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raise `SceneTooSlowError` if the time is over."""
        if self._spent + time.thread_time() - self._began > self._seconds:
            raise SceneTooSlowError(
                f"{self._name} takes more than {self._seconds:g} s to decode; store it in tiles "
                "(rio cogeo create IN OUT) or cut it, or raise TERRASEEK_MAX_SECONDS"
            )


_LOCAL = threading.local()


def check_time() -> None:
    """Stop the decoding of a file whose `TimeLimit` is over; no effect outside of one.

    Raises:
        SceneTooSlowError: the message names the file and the setting.
    """
    limit: TimeLimit | None = getattr(_LOCAL, "limit", None)
    if limit is not None:
        limit.check()


def _max_seconds() -> float:
    text = os.environ.get("TERRASEEK_MAX_SECONDS", "") or "300"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigError(f"TERRASEEK_MAX_SECONDS={text!r} must be a number above 0, such as 300")
    return seconds


@contextmanager
def guarded(name: str) -> Iterator[None]:
    """Convert every exception of a decoder to a `SceneError` that names the file.

    Errors of TerraSeek, and errors of the file system (missing file, no permission), pass through.

    Raises:
        TruncatedImageError: the bytes cannot be decoded.
        UnsupportedSceneError: this build lacks the codec of their compression.
        SceneTooLargeError: the memory does not suffice.
    """
    try:
        yield
    except TerraSeekError:
        raise
    except MemoryError as error:
        raise SceneTooLargeError(
            f"{name} needs more memory than there is; cut it into smaller images"
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the file system; decoders give no number
        raise failure(name, error) from error


def failure(name: str, error: BaseException) -> SceneError:
    """Error for a file that a decoder cannot read: damaged, or its codec is missing."""
    reason = _reason(error)
    if any(text in reason.lower() for text in _MISSING_CODEC):
        return UnsupportedSceneError(
            f"{name} uses a compression that this build cannot decode ({reason}); "
            "compress it again elsewhere, for example with: gdal_translate -co COMPRESS=DEFLATE"
        )
    return TruncatedImageError(
        f"{name} could not be decoded, it is cut short or damaged ({reason}); "
        "copy or download it again"
    )


def _reason(error: BaseException) -> str:
    """Message at the end of the chain of causes, where GDAL's own message is."""
    last = error
    while last.__cause__ is not None:
        last = last.__cause__
    return " ".join(str(last).split())[:_MAX_REASON] or type(last).__name__
