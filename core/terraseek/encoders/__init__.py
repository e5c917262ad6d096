"""Encoders of images and sentences, and the registry of model cards."""

from terraseek.encoders.base import Encoder, fit_square, unit
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.load import load_encoder
from terraseek.encoders.registry import DEFAULT_MODEL, ModelCard, get_card, list_models

__all__ = [
    "DEFAULT_MODEL",
    "Encoder",
    "FakeEncoder",
    "ModelCard",
    "fit_square",
    "get_card",
    "list_models",
    "load_encoder",
    "unit",
]
