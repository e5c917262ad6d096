"""Embeddings of a catalogue: vectors stored with the id of the encoder that made them."""

from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import EmbeddingStore, Manifest, store_names

__all__ = ["EmbeddingStore", "Manifest", "embed_catalogue", "store_names"]
