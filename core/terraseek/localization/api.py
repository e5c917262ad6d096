"""Localize queries in a scene: where in this scene is this sentence true?"""

from collections.abc import Callable, Sequence

from terraseek.encoders.base import Encoder
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.localizer import Localizer
from terraseek.localization.options import LocalizeOptions
from terraseek.localization.query import LocalizeQuery, encode_minus, encode_query
from terraseek.localization.windows.embedding import SceneEmbedding
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene

__all__ = ["embed_scene", "localize", "localize_many"]

_DEFAULTS = LocalizeOptions()


def embed_scene(
    scene: Scene,
    encoder: Encoder,
    options: LocalizeOptions = _DEFAULTS,
    progress: Progress = silent,
    cache: bool = True,
) -> SceneEmbedding:
    """Encode the windows of a scene; every later query then takes milliseconds.

    Args:
        scene: open scene.
        encoder: the model.
        options: method and window sides.
        progress: called while windows are encoded; it may raise `Cancelled`.
        cache: whether window vectors are read from and written to `home()/scenes`.

    Raises:
        SceneError: the pixels cannot be decoded or none is valid.
        LatticeError: the window sides cannot be used.
        Cancelled: raised by `progress`; finished chunks are kept for the next call.
    """
    return Localizer(scene, encoder, options, progress, cache).embedding


def localize(
    scene: Scene,
    query: LocalizeQuery,
    encoder: Encoder,
    options: LocalizeOptions = _DEFAULTS,
    progress: Progress = silent,
    cache: bool = True,
) -> HeatMap:
    """Heat map of one query.

    Args:
        scene: open scene.
        query: a sentence, several wordings of one thing, or an image.
        encoder: the model; the scene's window vectors are cached per model.
        options: method, window sides, sentences to subtract.
        progress: called while windows are encoded; it may raise `Cancelled`.
        cache: whether window vectors are read from and written to `home()/scenes`.

    Raises:
        EmptyQueryError: a sentence is blank, or there is none.
        SceneError: the pixels cannot be decoded or none is valid.
        LatticeError: the window sides cannot be used.
    """
    return localize_many(scene, [query], encoder, options, progress, cache)[0]


def localize_many(
    scene: Scene,
    queries: Sequence[LocalizeQuery],
    encoder: Encoder,
    options: LocalizeOptions = _DEFAULTS,
    progress: Progress = silent,
    cache: bool = True,
    on_partial: Callable[[list[HeatMap]], None] | None = None,
) -> list[HeatMap]:
    """Heat maps of several queries over one scene, which is encoded once; see `localize`.

    Args:
        scene: open scene.
        queries: sentences, wordings or images.
        encoder: the model.
        options: method, window sides, sentences to subtract.
        progress: called while windows are encoded; it may raise `Cancelled`.
        cache: whether window vectors are read from and written to `home()/scenes`.
        on_partial: called with the maps of the windows encoded so far about once for each quarter
            of them, first with those of all sides but the smallest, and by method `selo-v2` after
            its first stage and after each query; the final maps do not depend on it.

    Raises:
        EmptyQueryError: a sentence is blank, or there is none.
        SceneError: the pixels cannot be decoded or none is valid.
        LatticeError: the window sides cannot be used.
    """
    encoded = [encode_query(query, encoder, options) for query in queries]
    minus = encode_minus(encoder, options)

    coarse: list[HeatMap] = []

    def show(partial: SceneEmbedding) -> None:
        coarse[:] = [localizer.heat_map(query, minus, partial) for query in encoded]
        if on_partial is not None:
            on_partial(list(coarse))

    watch = None if on_partial is None else show
    localizer = Localizer(scene, encoder, options, progress, cache, watch)
    if watch is None or not localizer.method.encodes_more:
        return [localizer.heat_map(query, minus) for query in encoded]
    watch(localizer.embedding)
    found: list[HeatMap] = []
    for query in encoded:
        found.append(localizer.heat_map(query, minus))
        if on_partial is not None and len(found) < len(encoded):
            on_partial([*found, *coarse[len(found) :]])
    return found
