"""Failure of one download; it becomes the status of a row and never leaves the stage."""

from terraseek.errors import SourceError

__all__ = ["DownloadError"]


class DownloadError(SourceError):
    """An address could not be downloaded; the message begins with the kind and a colon."""
