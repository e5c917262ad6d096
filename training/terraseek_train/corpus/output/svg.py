"""Small plots as inline SVG, and contact sheets as inline JPEG."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image, ImageDraw

from terraseek.catalogue.records import ImageRef
from terraseek.errors import SceneError
from terraseek_train.corpus.items import read_pixels

__all__ = ["contact_sheet", "histogram", "point_map"]

_WIDTH, _HEIGHT = 420, 150
_TILE = 72


def histogram(values: Sequence[float], title: str, bins: int = 30) -> str:
    """Histogram with its range, median and number of values."""
    found = np.asarray([v for v in values if np.isfinite(v)], float)
    if not len(found):
        return f"<figure><figcaption>{escape(title)}: no values</figcaption></figure>"
    if np.ptp(found) < bins and (found == found.round()).all():
        bins = int(np.ptp(found)) + 1  # a bar per whole number
        counts, _ = np.histogram(found, bins, (found.min() - 0.5, found.max() + 0.5))
    else:
        counts, _ = np.histogram(found, bins)
    step = _WIDTH / len(counts)
    bars = "".join(
        f'<rect x="{n * step:.1f}" y="{_HEIGHT * (1 - count / counts.max()):.1f}" '
        f'width="{step * 0.9:.1f}" height="{_HEIGHT * count / counts.max():.1f}"/>'
        for n, count in enumerate(counts)
    )
    words = (
        f"{title}: {len(found):,} values from {found.min():.3g} to {found.max():.3g}, "
        f"median {np.median(found):.3g}"
    )
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}">{bars}</svg>'
        f"<figcaption>{escape(words)}</figcaption></figure>"
    )


def point_map(lon: Sequence[float], lat: Sequence[float], title: str) -> str:
    """Positions on a plate carrée map of the world with lines every 30 degrees."""
    if not len(lon):
        return f"<p>{escape(title)}: none is known.</p>"
    lines = "".join(f'<line x1="{x}" y1="0" x2="{x}" y2="180"/>' for x in range(0, 361, 30))
    lines += "".join(f'<line x1="0" y1="{y}" x2="360" y2="{y}"/>' for y in range(0, 181, 30))
    cells = {(round(x, 1), round(y, 1)) for x, y in zip(lon, lat, strict=True)}
    points = "".join(
        f'<circle cx="{x + 180:.1f}" cy="{90 - y:.1f}" r="0.8"/>' for x, y in sorted(cells)
    )
    return (
        f'<figure><svg class="map" viewBox="0 0 360 180" width="720">{lines}{points}</svg>'
        f"<figcaption>{escape(title)}: {len(lon):,} images at {len(cells):,} places</figcaption>"
        "</figure>"
    )


def contact_sheet(refs: Sequence[ImageRef | None], title: str, columns: int = 12) -> str:
    """Thumbnails of images in rows; those that cannot be read are crossed."""
    if not refs:
        return f"<figure><figcaption>{escape(title)}: none</figcaption></figure>"
    rows = -(-len(refs) // columns)
    sheet = Image.new("RGB", (columns * _TILE, rows * _TILE), (240, 240, 240))
    for n, ref in enumerate(refs):
        sheet.paste(_thumbnail(ref), (n % columns * _TILE, n // columns * _TILE))
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=80)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f'<figure><img alt="" src="data:image/jpeg;base64,{data}"/>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )


def _thumbnail(ref: ImageRef | None) -> Image.Image:
    try:
        image = Image.fromarray(read_pixels(ref, 2 * _TILE))
        return image.resize((_TILE - 2, _TILE - 2))
    except (SceneError, FileNotFoundError):
        cross = Image.new("RGB", (_TILE - 2, _TILE - 2), (255, 255, 255))
        draw = ImageDraw.Draw(cross)
        draw.line([(0, 0), (_TILE, _TILE)], fill=(180, 0, 0), width=2)
        draw.line([(0, _TILE), (_TILE, 0)], fill=(180, 0, 0), width=2)
        return cross
