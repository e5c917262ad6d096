"""Drawings of a confusion matrix: an image (PNG), or an interactive page (HTML, works offline)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, UInt8
from PIL import Image, ImageDraw, ImageFont

from terraseek.errors import MissingExtraError, OutputError
from terraseek.files import atomic_path

__all__ = ["check_suffix", "confusion_image", "draw_confusion"]

_LIGHT, _DARK = np.array([247, 250, 255.0]), np.array([8, 48, 107.0])
_INK = (30, 30, 30)
_MARGIN = 16
_READABLE = 26
"""Smallest side in pixels of a matrix cell that shows its count."""


def check_suffix(path: Path) -> None:
    """Refuse a file name whose suffix is neither `.png` nor `.html`.

    Raises:
        OutputError: another suffix.
    """
    if path.suffix.lower() not in (".png", ".html"):
        raise OutputError(f"--confusion {path} must end in .png or .html")


def draw_confusion(
    confusion: Int64[np.ndarray, "true predicted"], names: Sequence[str], path: Path, title: str
) -> None:
    """Write the matrix atomically, in the format of the suffix.

    Args:
        confusion: images by true (row) and predicted (column) class.
        names: classes in that order.
        path: `.png` or `.html`.
        title: one line above the matrix.

    Raises:
        OutputError: another suffix, or the file cannot be written.
        MissingExtraError: an HTML page without plotly.
    """
    check_suffix(path)
    try:
        if path.suffix.lower() == ".png":
            image = Image.fromarray(confusion_image(confusion, names, title))
            with atomic_path(path) as part:
                image.save(part, "PNG")
        else:
            figure = _page(confusion, names, title)
            with atomic_path(path) as part:
                figure.write_html(part, include_plotlyjs=True, include_mathjax=False)
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error}); choose another folder") from error


def _row_shares(
    confusion: Int64[np.ndarray, "true predicted"],
) -> Float64[np.ndarray, "true predicted"]:
    """Divide every row by its sum, 0-1; a class without images is all 0."""
    return np.asarray(confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1), np.float64)


def confusion_image(
    confusion: Int64[np.ndarray, "true predicted"], names: Sequence[str], title: str = ""
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the matrix as RGB pixels; a darker cell has a larger share of the row's images."""
    count = len(names)
    cell = int(np.clip(900 // count, 14, 56))
    font = ImageFont.load_default(min(14, cell - 1))
    label_width = int(max(font.getlength(name) for name in names)) + 10
    left, top = _MARGIN + 20 + label_width, _MARGIN + 48
    width = max(
        left + count * cell + _MARGIN,
        _MARGIN * 2 + int(ImageFont.load_default(16).getlength(title)),
    )
    canvas = Image.new("RGB", (width, top + count * cell + label_width + 20 + _MARGIN), "white")
    pen = ImageDraw.Draw(canvas)
    pen.text((_MARGIN, _MARGIN), title, _INK, ImageFont.load_default(16))
    _cells(pen, confusion, (left, top), cell)
    for row, name in enumerate(names):
        middle = top + row * cell + cell // 2
        pen.text((left - 6, middle), name, _INK, font, anchor="rm")
        column = Image.new("RGB", (label_width, cell), "white")
        ImageDraw.Draw(column).text((label_width - 6, cell // 2), name, _INK, font, anchor="rm")
        turned = column.transpose(Image.Transpose.ROTATE_90)
        canvas.paste(turned, (left + row * cell, top + count * cell))
    side = Image.new("RGB", (count * cell, 20), "white")
    ImageDraw.Draw(side).text((count * cell // 2, 10), "true class", _INK, font, anchor="mm")
    canvas.paste(side.transpose(Image.Transpose.ROTATE_90), (_MARGIN, top))
    below = (left + count * cell // 2, top + count * cell + label_width + 10)
    pen.text(below, "predicted", _INK, font, anchor="mm")
    return np.asarray(canvas)


def _cells(
    pen: ImageDraw.ImageDraw,
    confusion: Int64[np.ndarray, "true predicted"],
    corner: tuple[int, int],
    cell: int,
) -> None:
    shares = _row_shares(confusion)
    font = ImageFont.load_default(max(8, min(13, cell // 3)))
    for (row, column), share in np.ndenumerate(shares):
        x, y = corner[0] + column * cell, corner[1] + row * cell
        red, green, blue = np.rint(_LIGHT + (_DARK - _LIGHT) * share).astype(int).tolist()
        pen.rectangle((x, y, x + cell - 1, y + cell - 1), (red, green, blue), (225, 228, 232))
        if cell >= _READABLE and confusion[row, column]:
            ink = (255, 255, 255) if share > 0.5 else _INK
            middle = (x + cell // 2, y + cell // 2)
            pen.text(middle, str(confusion[row, column]), ink, font, anchor="mm")


def _page(confusion: Int64[np.ndarray, "true predicted"], names: Sequence[str], title: str) -> Any:  # noqa: ANN401 - plotly has no types
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise MissingExtraError(
            "an HTML plot needs plotly: pip install 'terraseek[app]'; a .png does not"
        ) from error
    heat = go.Heatmap(
        z=(100 * _row_shares(confusion)).tolist(),
        x=list(names),
        y=list(names),
        customdata=confusion.tolist(),
        text=confusion.tolist(),
        texttemplate="%{text}",
        hovertemplate="%{y} classified as %{x}: %{customdata} images (%{z:.1f} %)<extra></extra>",
        colorscale=[[0, "rgb(247,250,255)"], [1, "rgb(8,48,107)"]],
        zmin=0,
        zmax=100,
        colorbar={"title": {"text": "% of the true class"}},
    )
    axes = {"type": "category", "automargin": True}
    layout = go.Layout(
        title={"text": title},
        xaxis=axes | {"title": {"text": "predicted class"}},
        yaxis=axes | {"title": {"text": "true class"}, "autorange": "reversed"},
        height=max(480, 24 * len(names) + 240),
    )
    return go.Figure(heat, layout)
