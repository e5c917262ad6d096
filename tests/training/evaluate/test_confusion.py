"""The confusion matrix as an image and as a page."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.errors import OutputError
from terraseek_train.evaluate.confusion import check_suffix, confusion_image, draw_confusion

NAMES = ["forest", "sea or lake", "residential"]
MATRIX = np.array([[9, 1, 0], [2, 8, 0], [0, 0, 10]])


def test_the_diagonal_of_a_good_matrix_is_dark_and_the_rest_light() -> None:
    image = confusion_image(MATRIX, NAMES, "title").astype(float)
    dark = image.mean(axis=2) < 110
    side = 56
    rows, columns = (np.flatnonzero(dark.sum(axis) > 0.7 * side) for axis in (1, 0))
    assert rows[-1] - rows[0] == columns[-1] - columns[0] == pytest.approx(3 * side, abs=3)
    top, left = rows[0], columns[0]
    for row in range(3):
        for column in range(3):
            cell = dark[top + row * side :, left + column * side :][:side, :side]
            assert (cell.mean() > 0.5) == (row == column), (row, column)


def test_many_classes_and_long_names_stay_inside() -> None:
    names = [f"class number {k} of a long list" for k in range(45)]
    image = confusion_image(np.eye(45, dtype=np.int64), names)
    assert image.shape[0] < 1400
    assert image.shape[1] < 1400
    assert (image[-1] == 255).all()
    assert (image[:, -1] == 255).all()


def test_a_class_without_images_is_drawn_empty() -> None:
    assert confusion_image(np.array([[0, 0], [1, 2]]), ["a", "b"]).std() > 0


def test_png_and_html_are_written(tmp_path: Path) -> None:
    draw_confusion(MATRIX, NAMES, tmp_path / "c.png", "t")
    with Image.open(tmp_path / "c.png") as image:
        assert image.format == "PNG"
    pytest.importorskip("plotly", reason="plotly comes with the extra `app`")
    draw_confusion(MATRIX, NAMES, tmp_path / "c.html", "<em>t</em>")
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=", page)  # nothing from elsewhere
    data = page[page.rindex("Plotly.newPlot") :]
    assert json.dumps(MATRIX.tolist(), separators=(",", ":")) in data
    assert "sea or lake" in data


def test_other_files_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"c\.svg must end in \.png or \.html"):
        check_suffix(tmp_path / "c.svg")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        draw_confusion(MATRIX, NAMES, tmp_path / "file" / "c.png", "t")
