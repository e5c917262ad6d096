"""TerraSeek: search remote-sensing imagery with words, and see where a sentence is true.

    import terraseek

    catalogue = terraseek.Catalogue.open("my-catalogue")
    searcher = terraseek.Searcher(catalogue, terraseek.load_encoder())
    result = searcher.search(terraseek.Query(text="ships in a harbour"), k=5)

    with terraseek.Scene.open("harbour.tif") as scene:
        heat_map = terraseek.localize(scene, "ships", terraseek.load_encoder())

Importing this package loads neither torch nor GDAL; each name is imported when it is first used.
"""

from typing import TYPE_CHECKING

from terraseek.lazy import lazy_names
from terraseek.version import __version__

if TYPE_CHECKING:
    from terraseek.catalogue.catalogue import Catalogue
    from terraseek.catalogue.filters.filter import Filter
    from terraseek.catalogue.importing.importer import import_source
    from terraseek.embeddings.embed import embed_catalogue as embed
    from terraseek.encoders.load import load_encoder
    from terraseek.encoders.registry import list_models
    from terraseek.localization.api import localize
    from terraseek.localization.heatmap import HeatMap
    from terraseek.request import LocalizeRequest, SearchRequest
    from terraseek.review.log import open_review
    from terraseek.scenes.scene import Scene
    from terraseek.search.query import Query
    from terraseek.search.result import SearchResult
    from terraseek.search.searcher import Searcher

__all__ = [
    "Catalogue",
    "Filter",
    "HeatMap",
    "LocalizeRequest",
    "Query",
    "Scene",
    "SearchRequest",
    "SearchResult",
    "Searcher",
    "__version__",
    "embed",
    "import_source",
    "list_models",
    "load_encoder",
    "localize",
    "open_review",
]

_MODULES = {
    "Catalogue": "terraseek.catalogue.catalogue",
    "Filter": "terraseek.catalogue.filters.filter",
    "HeatMap": "terraseek.localization.heatmap",
    "LocalizeRequest": "terraseek.request",
    "Query": "terraseek.search.query",
    "Scene": "terraseek.scenes.scene",
    "SearchRequest": "terraseek.request",
    "SearchResult": "terraseek.search.result",
    "Searcher": "terraseek.search.searcher",
    "embed": "terraseek.embeddings.embed:embed_catalogue",
    "import_source": "terraseek.catalogue.importing.importer",
    "list_models": "terraseek.encoders.registry",
    "load_encoder": "terraseek.encoders.load",
    "localize": "terraseek.localization.api",
    "open_review": "terraseek.review.log",
}
__getattr__, __dir__ = lazy_names(__name__, _MODULES)
