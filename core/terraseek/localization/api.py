"""Where in this scene is this sentence true?"""

from collections.abc import Sequence

from terraseek.encoders.base import Encoder
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.methods.pipeline import Run
from terraseek.localization.options import LocalizeOptions
from terraseek.localization.query import Query, ask, subtracted
from terraseek.localization.windows.embedding import SceneEmbedding
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene

__all__ = ["embed_scene", "localize", "localize_many"]

_DEFAULTS = LocalizeOptions()


def embed_scene(
    scene: Scene,
    encoder: Encoder,
    options: LocalizeOptions = _DEFAULTS,
    cache: bool = True,
    progress: Progress = silent,
) -> SceneEmbedding:
    """Encode the windows of a scene once; every later sentence then costs milliseconds.

    Raises:
        SceneError: the pixels cannot be decoded or none is valid.
        LatticeError: the window sides make no lattice.
        Cancelled: raised by `progress`; finished parts are kept for the next call.
    """
    return Run(scene, encoder, options, cache, progress).embedding


def localize(
    scene: Scene,
    query: Query,
    encoder: Encoder,
    options: LocalizeOptions = _DEFAULTS,
    progress: Progress = silent,
    cache: bool = True,
) -> HeatMap:
    """Heat map of one query.

    Args:
        scene: open scene.
        query: a sentence, several wordings of one thing, or an image.
        encoder: the model; the scene's window vectors are kept per model.
        options: method, window sides, sentences to subtract.
        progress: called while windows are encoded; may raise `Cancelled`.
        cache: whether window vectors are read from and kept in `home()/scenes`.

    Raises:
        EmptyQueryError: a sentence is blank, or there is none.
        SceneError: the pixels cannot be decoded or none is valid.
        LatticeError: the window sides make no lattice.
    """
    return localize_many(scene, [query], encoder, options, progress, cache)[0]


def localize_many(
    scene: Scene,
    queries: Sequence[Query],
    encoder: Encoder,
    options: LocalizeOptions = _DEFAULTS,
    progress: Progress = silent,
    cache: bool = True,
) -> list[HeatMap]:
    """Heat maps of several queries over one scene, which is encoded once; see `localize`."""
    asked = [ask(query, encoder, options) for query in queries]
    minus = subtracted(encoder, options)
    run = Run(scene, encoder, options, cache, progress)
    return [run.heat(one, minus) for one in asked]
