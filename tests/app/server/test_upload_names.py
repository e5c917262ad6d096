"""Errors about an upload name the user's file, not the token it is stored under."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from terraseek.errors import NotAnImageError
from terraseek.scenes import Scene
from terraseek_app.server import state
from terraseek_app.server.query_images import uploaded_image
from terraseek_app.server.settings import Settings
from terraseek_app.server.uploads import keep_upload, upload_path
from terraseek_app.widgets.image_upload import check_or_discard


@pytest.fixture
def token(tmp_path: Path) -> Iterator[str]:
    """An upload that is no image."""
    state.reset(Settings(uploads=tmp_path))
    yield keep_upload(io.BytesIO(b"no image"), "my scene.tif", tmp_path, 1 << 20)
    state.reset(Settings())


def test_refused_scene_is_named_and_removed(token: str, tmp_path: Path) -> None:
    path = upload_path(token, tmp_path)
    with pytest.raises(NotAnImageError, match=r"^my scene\.tif is not an image") as caught:
        check_or_discard(token, "my scene.tif", lambda kept: Scene.open(path))
    assert token not in str(caught.value)
    assert not path.exists()


def test_refused_query_image_is_named(token: str) -> None:
    with pytest.raises(NotAnImageError, match=r"^my scene\.tif is not an image"):
        uploaded_image(token, "my scene.tif")
