"""Encode Mapbox Vector Tiles (version 2.1) of lines and points.

https://github.com/mapbox/vector-tile-spec/tree/master/2.1: a tile holds layers, a layer features
with a geometry of commands, and tags that point into tables of keys and values.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64, UInt8

__all__ = ["EXTENT", "encode_tile", "lines_layer", "points_layer"]

EXTENT = 4096
"""Units along the side of a tile."""
_POINT, _LINE = 1, 2
_MOVE_TO, _LINE_TO = 1, 2

Tags = Mapping[str, str | int]


def encode_tile(layers: Sequence[bytes]) -> bytes:
    """A tile of encoded layers; layers without bytes are left out."""
    return b"".join(_field(3, layer) for layer in layers if layer)


def lines_layer(name: str, lines: Sequence[Int64[np.ndarray, "_ 2"]]) -> bytes:
    """A layer of one feature with many lines.

    Args:
        name: name of the layer.
        lines: x right, y down in units of the tile, at least two points each.
    """
    parts: list[np.ndarray] = []
    cursor = np.zeros(2, np.int64)
    for line in lines:
        steps = np.diff(line, axis=0, prepend=cursor[None])
        numbers = _zigzag(steps.ravel())
        parts.append(np.array([_command(_MOVE_TO, 1)], np.int64))
        parts.append(numbers[:2])
        parts.append(np.array([_command(_LINE_TO, len(line) - 1)], np.int64))
        parts.append(numbers[2:])
        cursor = line[-1]
    if not parts:
        return b""
    feature = _varint_field(3, _LINE) + _field(4, _varints(np.concatenate(parts)))
    return _layer(name, [feature], {}, [])


def points_layer(name: str, points: Int64[np.ndarray, "n 2"], tags: Sequence[Tags]) -> bytes:
    """A layer of one feature for each point, with its tags."""
    keys: dict[str, int] = {}
    values: dict[str | int, int] = {}
    features = []
    for (x, y), own in zip(points.tolist(), tags, strict=True):
        pairs = [
            number
            for key, value in own.items()
            for number in (keys.setdefault(key, len(keys)), values.setdefault(value, len(values)))
        ]
        place = np.array([_command(_MOVE_TO, 1), *_zigzag(np.array([x, y]))], np.int64)
        features.append(
            _field(2, _varints(np.array(pairs, np.int64)))
            + _varint_field(3, _POINT)
            + _field(4, _varints(place))
        )
    return _layer(name, features, keys, list(values)) if features else b""


def _layer(
    name: str, features: Sequence[bytes], keys: Mapping[str, int], values: Sequence[str | int]
) -> bytes:
    body = [_varint_field(15, 2), _field(1, name.encode())]
    body += [_field(2, feature) for feature in features]
    body += [_field(3, key.encode()) for key in keys]
    for value in values:
        encoded = _field(1, value.encode()) if isinstance(value, str) else _varint_field(5, value)
        body.append(_field(4, encoded))
    return b"".join([*body, _varint_field(5, EXTENT)])


def _command(command: int, count: int) -> int:
    return command & 7 | count << 3


def _zigzag(numbers: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    return (numbers << 1) ^ (numbers >> 63)


def _varint_field(number: int, value: int) -> bytes:
    return _varints(np.array([number << 3, value], np.int64))


def _field(number: int, body: bytes) -> bytes:
    return _varints(np.array([number << 3 | 2, len(body)], np.int64)) + body


def _varints(numbers: Int64[np.ndarray, " n"]) -> bytes:
    """Numbers from 0 to 2**35 as base-128 varints of protocol buffers."""
    groups = (numbers[:, None] >> np.arange(0, 35, 7)) & 0x7F
    length = np.maximum(5 - np.argmax(groups[:, ::-1] > 0, axis=1), 1)
    length = np.where(groups.any(axis=1), length, 1)
    position = np.arange(5)
    follows = position < length[:, None] - 1
    encoded: UInt8[np.ndarray, "n five"] = (groups | np.where(follows, 0x80, 0)).astype(np.uint8)
    return encoded[position < length[:, None]].tobytes()
