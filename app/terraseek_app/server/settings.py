"""Settings of the server, read from environment variables and checked."""

import html
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.errors import ConfigError, InputError

__all__ = ["UPLOAD_AGE_S", "Settings"]

UPLOAD_AGE_S = 7 * 24 * 3600
"""Seconds an upload is kept after its last use, by default."""

_MEGABYTE = 1 << 20
_UNITS = {"megabytes": _MEGABYTE, "hours": 3600}
_WMS_BOX = "{bbox-epsg-3857}"
"""Placeholder that MapLibre replaces by the bounds of a tile."""

_ARCHIVE_SUFFIX = ".pmtiles"
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Settings:
    """Locations of the served data, and limits of the server."""

    catalogue: Path | None = None
    """Folder of the served catalogue (`TERRASEEK_CATALOGUE`)."""
    model: str = DEFAULT_MODEL
    """Name of the encoder (`TERRASEEK_MODEL`)."""
    scenes: Path | None = None
    """Folder of example scenes (`TERRASEEK_SCENES`)."""
    uploads: Path = Path(tempfile.gettempdir()) / "terraseek-uploads"
    """Folder of uploaded files (`TERRASEEK_UPLOADS`)."""
    max_upload_bytes: int = 500 * _MEGABYTE
    """Largest upload in bytes (`TERRASEEK_MAX_UPLOAD_MB`)."""
    upload_quota_bytes: int = 5000 * _MEGABYTE
    """Bytes of all uploads that are kept (`TERRASEEK_UPLOAD_QUOTA_MB`); a client may use half."""
    upload_age_s: int = UPLOAD_AGE_S
    """Seconds an upload is kept after its last use (`TERRASEEK_UPLOAD_HOURS`), so that links to
    searches with uploaded images work that long."""
    requests_per_minute: int = 600
    """Searches of a client of the HTTP API per minute (`TERRASEEK_REQUESTS_PER_MINUTE`; 0: any
    number). A localization counts as five; pages and this computer are not limited."""
    allowed_hosts: frozenset[str] = frozenset()
    """Names the server is reached by, beside those of this computer (`TERRASEEK_ALLOWED_HOSTS`,
    joined by commas; `*` allows every name)."""
    basemap: str = ""
    """URL of tiles that browsers load as the basemap, with {z}, {x}, {y} (XYZ) or with
    {bbox-epsg-3857} (WMS), or `basemap_archive` as text (`TERRASEEK_BASEMAP`); empty for the Blue
    Marble, without a network."""
    basemap_attribution: str = ""
    """Attribution that its licence asks for (`TERRASEEK_BASEMAP_ATTRIBUTION`)."""

    @property
    def basemap_archive(self) -> Path | None:
        """PMTiles archive whose tiles this server gives as the basemap; None without one."""
        return Path(self.basemap) if self.basemap.endswith(_ARCHIVE_SUFFIX) else None

    allowed_origins: frozenset[str] = frozenset()
    """Origins of pages of other sites that may show pictures and tiles of this server and request
    its data (`TERRASEEK_ALLOWED_ORIGINS`, such as `https://maps.example.org`, joined by commas)."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; unset or empty variables keep their defaults.

        Raises:
            ConfigError: a value is invalid; the message names the variable.
        """
        defaults = cls()
        basemap, attribution = _basemap(env)
        catalogue, scenes = env.get("TERRASEEK_CATALOGUE"), env.get("TERRASEEK_SCENES")
        return cls(
            catalogue=Path(catalogue) if catalogue else None,
            model=env.get("TERRASEEK_MODEL") or defaults.model,
            scenes=_folder("TERRASEEK_SCENES", scenes) if scenes else None,
            uploads=Path(env.get("TERRASEEK_UPLOADS") or defaults.uploads),
            max_upload_bytes=_amount(
                env, "TERRASEEK_MAX_UPLOAD_MB", "megabytes", defaults.max_upload_bytes
            ),
            upload_quota_bytes=_amount(
                env, "TERRASEEK_UPLOAD_QUOTA_MB", "megabytes", defaults.upload_quota_bytes
            ),
            upload_age_s=_amount(env, "TERRASEEK_UPLOAD_HOURS", "hours", defaults.upload_age_s),
            requests_per_minute=_rate(env, defaults.requests_per_minute),
            allowed_hosts=_host_names(env.get("TERRASEEK_ALLOWED_HOSTS") or ""),
            allowed_origins=_origins(env.get("TERRASEEK_ALLOWED_ORIGINS") or ""),
            basemap=basemap,
            basemap_attribution=attribution,
        )


def _folder(name: str, value: str) -> Path:
    if not Path(value).is_dir():
        raise ConfigError(f"{name} is {value!r}, which is not a folder; give an existing one")
    return Path(value)


def _amount(env: Mapping[str, str], name: str, unit: str, default: int) -> int:
    """A setting in whole units of `_UNITS`, as bytes or seconds."""
    size = _UNITS[unit]
    value = env.get(name)
    if not value:
        return default
    if not value.isdecimal() or int(value) == 0:
        raise ConfigError(f"{name} is {value!r}; give whole {unit}, e.g. {default // size}")
    return int(value) * size


def _rate(env: Mapping[str, str], default: int) -> int:
    name = "TERRASEEK_REQUESTS_PER_MINUTE"
    value = env.get(name) or str(default)
    if not value.isdecimal():
        raise ConfigError(f"{name} is {value!r}; give a whole number, e.g. {default}, or 0")
    return int(value)


def _host_names(value: str) -> frozenset[str]:
    names = {name.strip().lower() for name in value.split(",") if name.strip()}
    for name in names:
        if "/" in name or ":" in name:
            raise ConfigError(
                f"TERRASEEK_ALLOWED_HOSTS contains {name!r}; give names without a scheme or port, "
                "e.g. maps.example.org"
            )
    return frozenset(names)


def _origins(value: str) -> frozenset[str]:
    origins = {name.strip().lower().rstrip("/") for name in value.split(",") if name.strip()}
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ConfigError(
                f"TERRASEEK_ALLOWED_ORIGINS contains {origin!r}; give schemes and names without a "
                "path, e.g. https://maps.example.org"
            )
    return frozenset(origins)


def _basemap(env: Mapping[str, str]) -> tuple[str, str]:
    url = (env.get("TERRASEEK_BASEMAP") or "").strip()
    attribution = (env.get("TERRASEEK_BASEMAP_ATTRIBUTION") or "").strip()
    if not url:
        return "", ""
    if url.endswith(_ARCHIVE_SUFFIX) and "://" not in url:
        return _archive(url, attribution)
    is_xyz = all(part in url for part in ("{z}", "{x}", "{y}"))
    if not url.startswith(("https://", "http://", "/")) or not (is_xyz or _WMS_BOX in url):
        raise ConfigError(
            f"TERRASEEK_BASEMAP is {url!r}; give the address of tiles with {{z}}, {{x}}, {{y}}, "
            f"of a WMS with BBOX={_WMS_BOX}, or a {_ARCHIVE_SUFFIX} file of this computer"
        )
    if not attribution:
        raise ConfigError(
            "TERRASEEK_BASEMAP needs TERRASEEK_BASEMAP_ATTRIBUTION, the attribution that the "
            "licence of its tiles asks for"
        )
    return url, attribution


def _archive(text: str, attribution: str) -> tuple[str, str]:
    from terraseek.tiles.pmtiles import PMTiles

    path = Path(text).expanduser().resolve()
    if not path.is_file():
        raise ConfigError(f"TERRASEEK_BASEMAP is {text!r}, which is no file of this computer")
    try:
        archive = PMTiles.open(path)
        archive.tile_size()
    except (InputError, OSError) as error:
        raise ConfigError(f"TERRASEEK_BASEMAP: {error}") from error
    if not (attribution or archive.attribution):
        raise ConfigError(
            f"{path.name} states no attribution; give TERRASEEK_BASEMAP_ATTRIBUTION, which the "
            "licence of its tiles asks for"
        )
    return str(path), attribution or html.unescape(_TAG.sub("", archive.attribution))
