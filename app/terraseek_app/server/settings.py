"""Settings of the server, read from environment variables and checked."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from terraseek.errors import ConfigError

__all__ = ["Settings"]

_MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """Locations of the served data, and limits of the server."""

    catalogue: Path | None = None
    """Folder of the served catalogue (`TERRASEEK_CATALOGUE`)."""
    model: str = "terraseek-tiny"
    """Name of the encoder (`TERRASEEK_MODEL`)."""
    scenes: Path | None = None
    """Folder of example scenes (`TERRASEEK_SCENES`)."""
    uploads: Path = Path(tempfile.gettempdir()) / "terraseek-uploads"
    """Folder of uploaded files (`TERRASEEK_UPLOADS`)."""
    max_upload_bytes: int = 500 * _MEGABYTE
    """Largest upload in bytes (`TERRASEEK_MAX_UPLOAD_MB`)."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; unset or empty variables keep their defaults.

        Raises:
            ConfigError: a value is invalid; the message names the variable.
        """
        defaults = cls()
        catalogue, scenes = env.get("TERRASEEK_CATALOGUE"), env.get("TERRASEEK_SCENES")
        return cls(
            catalogue=Path(catalogue) if catalogue else None,
            model=env.get("TERRASEEK_MODEL") or defaults.model,
            scenes=_folder("TERRASEEK_SCENES", scenes) if scenes else None,
            uploads=Path(env.get("TERRASEEK_UPLOADS") or defaults.uploads),
            max_upload_bytes=_megabytes(env.get("TERRASEEK_MAX_UPLOAD_MB") or "500"),
        )


def _folder(name: str, value: str) -> Path:
    if not Path(value).is_dir():
        raise ConfigError(f"{name} is {value!r}, which is not a folder; give an existing one")
    return Path(value)


def _megabytes(value: str) -> int:
    if not value.isdecimal() or int(value) == 0:
        raise ConfigError(f"TERRASEEK_MAX_UPLOAD_MB is {value!r}; give whole megabytes, e.g. 500")
    return int(value) * _MEGABYTE
