"""Opening the index of a store, whether it is in files or in a vector database."""

import logging

from terraseek.catalogue import Catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.errors import ConfigError, MissingExtraError, StoreError
from terraseek.index.engine_index import ENGINE_KINDS, open_engine_index
from terraseek.index.index_types import Index, open_index
from terraseek.index.manifest import IndexManifest

__all__ = ["index_or_none"]

_log = logging.getLogger(__name__)


def index_or_none(store: EmbeddingStore, catalogue: Catalogue | None = None) -> Index | None:
    """Open the index of a store; None, with a logged warning, if it cannot be used.

    Args:
        store: the vectors.
        catalogue: of its items, if already open.
    """
    try:
        manifest = IndexManifest.read(store)
        if manifest is None or manifest.kind not in ENGINE_KINDS:
            return open_index(store)
        items = catalogue or Catalogue.open(store.folder.parent.parent)
        return open_engine_index(store, manifest, items)
    except (StoreError, ConfigError, MissingExtraError) as error:
        _log.warning("searching without an index: %s", error)
        return None
