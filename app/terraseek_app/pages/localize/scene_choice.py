"""Which scene is looked at: an example, an item found in Explore, or an upload."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from terraseek.catalogue.importing.inspection import RASTER_SUFFIXES
from terraseek.errors import TerraSeekError
from terraseek_app.messages import show_error as say
from terraseek_app.pages.localize.item_scene import item_scene
from terraseek_app.pages.localize.state import clear_result as forget_answer
from terraseek_app.server import state
from terraseek_app.server.uploads import keep_upload, upload_path
from terraseek_app.widgets.image_upload import IMAGE_TYPES

__all__ = ["SceneFacts", "choose_scene", "scene_facts", "scene_file", "sources", "upload_drawer"]


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """What the page needs to know of a scene without keeping it open."""

    scene_id: str
    """Opaque id for tile addresses."""
    name: str
    """File name or item, for people."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    gsd_m: float | None
    """Ground sample distance in metres."""
    crs: str | None
    """`EPSG:...` or a name; None for pixel space."""
    corners: tuple[tuple[float, float], ...] | None
    """(lon, lat) of upper left, upper right, lower right, lower left; None for pixel space."""


def sources() -> dict[str, str]:
    """Every scene that can be chosen: source key -> name."""
    found = {f"example:{sid}": name for sid, name in state.example_scenes().items()}
    chosen = st.session_state.localize_source
    if chosen and chosen.startswith("item:"):
        found[chosen] = f"item {chosen.removeprefix('item:')} from Explore"
    for token, name in st.session_state.localize_uploads.items():
        found[f"upload:{token}"] = name
    return found


def choose_scene() -> None:
    """The list of scenes; what is chosen arrives in `localize_source`."""
    found = sources()
    if st.session_state.localize_source not in found:
        st.session_state.localize_source = next(iter(found), None)
    st.selectbox(
        "Scene",
        list(found),
        key="localize_source",
        format_func=lambda source: found.get(source, source),
        label_visibility="collapsed",
        placeholder="upload a scene, or pick one in Explore",
        on_change=forget_answer,
    )


def upload_drawer() -> None:
    """The field for a scene of one's own; streamed to disk, then dropped from memory."""
    limits = state.settings()
    st.caption(
        "GeoTIFF, COG, PNG, JPEG, JPEG 2000 or WebP. With coordinates it lies on the world map; "
        "without, it is shown in its own pixels."
    )
    generation = st.session_state.setdefault("localize_upload_generation", 0)
    upload = st.file_uploader(
        "Scene file",
        type=list(IMAGE_TYPES),
        key=f"localize_upload_{generation}",
        label_visibility="collapsed",
        max_upload_size=limits.max_upload_bytes >> 20,
    )
    if upload is None:
        return
    try:
        token = keep_upload(upload, upload.name, limits.uploads, limits.max_upload_bytes)
        scene_facts(upload_path(token, limits.uploads), upload.name)
    except TerraSeekError as error:
        say(error)
        return
    st.session_state.localize_upload_generation = generation + 1
    st.session_state.localize_uploads = {**st.session_state.localize_uploads, token: upload.name}
    st.session_state.localize_uploaded = f"upload:{token}"
    st.rerun()


def scene_file(source: str) -> Path:
    """The raster behind a source key.

    Raises:
        SceneError: it is gone. ItemNotFoundError: no such item.
    """
    kind, _, key = source.partition(":")
    if kind == "upload":
        return upload_path(key, state.settings().uploads)
    if kind == "example":
        return state.scene_path(key)
    catalogue = state.catalogue()
    ref = catalogue.image_ref(key)
    if ref.suffix in RASTER_SUFFIXES and not ref.member:
        return Path(ref.file)  # a raster of its own, with its own place; nothing to copy
    return item_scene(
        catalogue.item(key),
        catalogue.image_bytes(key),
        catalogue.read_image(key),
        state.settings().uploads,
    )


def scene_facts(path: Path, name: str) -> SceneFacts:
    """Open a scene for a moment and say what it is.

    Raises:
        SceneError: it cannot be used, and why.
    """
    return _scene_facts(path, name, path.stat().st_mtime_ns, state.add_scene(path))


@st.cache_data(max_entries=64, show_spinner=False)
def _scene_facts(path: Path, name: str, changed: int, scene_id: str) -> SceneFacts:
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        corners = scene.footprint
        return SceneFacts(
            scene_id=scene_id,
            name=name,
            width=scene.width,
            height=scene.height,
            gsd_m=scene.gsd_m,
            crs=_crs_name(scene.crs),
            corners=tuple((lon, lat) for lon, lat in corners) if corners else None,
        )


def _crs_name(crs: object) -> str | None:
    if crs is None:
        return None
    epsg = crs.to_epsg()  # type: ignore[attr-defined]  # rasterio has no type information
    return f"EPSG:{epsg}" if epsg else "a CRS of its own"
