"""The choice of the scene: an example, an item from Explore, or an upload."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from terraseek.catalogue.importing.inspection import RASTER_SUFFIXES
from terraseek.errors import TerraSeekError
from terraseek_app.messages import show_error
from terraseek_app.pages.localize.item_raster import (
    is_located,
    item_raster,
    pixel_space_reason,
)
from terraseek_app.pages.localize.scenes.footprints import scenes_map
from terraseek_app.pages.localize.scenes.gallery import scene_gallery, scene_tiles
from terraseek_app.pages.localize.scenes.popovers import SCENES_POPOVER, close_popover
from terraseek_app.pages.localize.state import clear_result
from terraseek_app.server import state
from terraseek_app.server.uploads import upload_folder, upload_path
from terraseek_app.widgets.image_upload import IMAGE_TYPES, check_or_discard, store
from terraseek_app.widgets.metadata import coordinates

__all__ = [
    "SceneFacts",
    "choose_scene",
    "place_text",
    "scene_facts",
    "scene_file",
    "scene_panel",
    "sources",
    "upload_panel",
]


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """Properties of a scene that the page shows, without keeping the file open."""

    scene_id: str
    """Opaque id for tile URLs."""
    name: str
    """Display name."""
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    gsd_m: float | None
    """Ground sample distance in metres."""
    crs: str | None
    """`EPSG:...` or a description; None without a CRS."""
    corners: tuple[tuple[float, float], ...] | None
    """(lon, lat) in degrees: upper left, upper right, lower right, lower left; None without CRS."""


def sources() -> dict[str, str]:
    """All scenes that can be chosen: value of `localize_source` -> display name."""
    choices = {f"example:{sid}": name for sid, name in state.example_scenes().items()}
    chosen = st.session_state.localize_source
    if chosen and chosen.startswith("item:"):
        choices[chosen] = f"item {chosen.removeprefix('item:')} from Explore"
    for token, name in st.session_state.localize_uploads.items():
        choices[f"upload:{token}"] = name
    return choices


def choose_scene() -> None:
    """Draw the list of scenes; the choice is stored in `localize_source`."""
    choices = sources()
    if st.session_state.localize_source not in choices:
        st.session_state.localize_source = next(iter(choices), None)
    st.selectbox(
        "Scene",
        list(choices),
        key="localize_source",
        format_func=lambda source: choices.get(source, source),
        label_visibility="collapsed",
        placeholder="upload a scene, or pick one in Explore",
        on_change=clear_result,
    )


def scene_panel(is_open: bool) -> None:
    """Draw all scenes on a map and as thumbnails; a click chooses one. Nothing without scenes.

    Args:
        is_open: whether the panel is seen; the scenes are opened and the map drawn only then.
    """
    choices = sources()
    if not choices:
        return
    tiles = scene_tiles(choices, {one: _scene_id(one) for one in choices}, _chosen())
    outlines = {one: _corners(one, name) for one, name in choices.items()} if is_open else {}
    placed = {source: corners for source, corners in outlines.items() if corners}
    if placed or not is_open:
        with st.container(key="localize_scenes_place", height=250, border=False):
            if placed:
                scenes_map("localize_scenes_map", tiles, placed, on_choose=_choose)
    scene_gallery("localize_scenes", tiles, on_choose=_choose)
    n_unplaced = len(outlines) - len(placed)
    if n_unplaced:
        st.caption(f"{n_unplaced} of {len(choices)} without coordinates, not on the map.")


def _corners(source: str, name: str) -> tuple[tuple[float, float], ...] | None:
    """Corners of a scene on the globe; None without coordinates, or if it cannot be opened."""
    try:
        return scene_facts(scene_file(source), name).corners
    except (TerraSeekError, OSError):
        return None


def _chosen() -> str | None:
    chosen: str | None = st.session_state.localize_source
    return chosen


def _choose(source: str) -> None:
    if source in sources() and source != _chosen():
        st.session_state.localize_source = source
        clear_result()
    close_popover(SCENES_POPOVER)


def _scene_id(source: str) -> str | None:
    """Id of a scene for tile URLs; None if its file is gone."""
    kind, _, key = source.partition(":")
    if kind == "example":
        return key
    try:
        return state.add_scene(scene_file(source))
    except TerraSeekError:
        return None


def upload_panel() -> None:
    """Draw the upload field for a scene; the file is stored on disk, then dropped from memory."""
    settings = state.settings()
    st.caption(
        "GeoTIFF, COG, PNG, JPEG, JPEG 2000 or WebP. A scene with coordinates is shown on the "
        "world map, any other in its own pixels."
    )
    # the upload stays in the server's memory until the field is replaced by one with another key
    field_number = st.session_state.setdefault("localize_upload_generation", 0)
    upload = st.file_uploader(
        "Scene file",
        type=list(IMAGE_TYPES),
        key=f"localize_upload_{field_number}",
        label_visibility="collapsed",
        max_upload_size=settings.max_upload_bytes >> 20,
    )
    if upload is None:
        return
    try:
        token = store(upload)
        check_or_discard(
            token,
            upload.name,
            lambda kept: scene_facts(upload_path(kept, settings.uploads), upload.name),
        )
    except TerraSeekError as error:
        show_error(error)
        return
    st.session_state.localize_upload_generation = field_number + 1
    st.session_state.localize_uploads = {**st.session_state.localize_uploads, token: upload.name}
    st.session_state.localize_uploaded = f"upload:{token}"
    st.rerun()


def scene_file(source: str) -> Path:
    """File of a scene.

    Args:
        source: value of `localize_source`.

    Raises:
        SceneError: the file was removed.
        ItemNotFoundError: the catalogue has no such item.
    """
    kind, _, key = source.partition(":")
    if kind == "upload":
        return upload_path(key, state.settings().uploads)
    if kind == "example":
        return state.scene_path(key)
    catalogue = state.catalogue()
    ref = catalogue.image_ref(key)
    if ref.suffix in RASTER_SUFFIXES and not ref.member and is_located(ref.file):
        return Path(ref.file)
    return item_raster(
        catalogue.item(key),
        catalogue.image_bytes(key),
        catalogue.read_image(key),
        upload_folder(state.settings().uploads),
    )


def place_text(facts: SceneFacts, source: str) -> str:
    """CRS of a scene; without one its position and why it is shown in its own pixels.

    Args:
        facts: the scene.
        source: value of `localize_source`.
    """
    if facts.corners is not None and facts.crs:
        return facts.crs
    kind, _, key = source.partition(":")
    if kind == "item":
        item = state.catalogue().item(key)
        reason = pixel_space_reason(item)
        if reason is not None:
            where = coordinates(item["lon"], item["lat"], 5)
            return f"at {where}, shown in its own pixels: {reason}"
    return facts.crs or "no coordinates, shown in its own pixels"


def scene_facts(path: Path, name: str) -> SceneFacts:
    """Read the properties of a scene.

    Args:
        path: its file.
        name: its display name.

    Raises:
        SceneError: the scene cannot be used.
    """
    return _scene_facts(path, name, path.stat().st_mtime_ns, state.add_scene(path))


@st.cache_data(max_entries=64, show_spinner=False)
def _scene_facts(path: Path, name: str, mtime_ns: int, scene_id: str) -> SceneFacts:
    # mtime_ns is part of the cache key only
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
    return f"EPSG:{epsg}" if epsg else "custom CRS"
