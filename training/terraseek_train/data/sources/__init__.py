"""Readers of captioned or labelled images: every layout becomes a list of samples."""

from terraseek_train.data.sources.captions import (
    read_captions,
    read_csv_captions,
    read_json_captions,
)
from terraseek_train.data.sources.images import ImageBytes, open_images, pair_images
from terraseek_train.data.sources.sample import Sample

__all__ = [
    "ImageBytes",
    "Sample",
    "open_images",
    "pair_images",
    "read_captions",
    "read_csv_captions",
    "read_json_captions",
]
