"""Choice of the index type from the number of vectors, their length and the allowed memory."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from terraseek.errors import ConfigError

__all__ = ["AXES", "KINDS", "IndexKind", "IndexPlan", "parse_memory", "plan_index"]

IndexKind = Literal["flat", "fp16", "int8", "ivfsq", "ivfpq", "hnsw"]
"""Exact: flat (float32 in memory), fp16 (the stored file, mapped), int8 (scalar quantization to one
byte, mapped, verified with the stored vectors). Approximate, re-ranked with the stored vectors:
ivfsq (inverted lists with 8 or 4 bits per axis, of all or half of the axes), ivfpq (inverted lists
with 4-bit product quantization, an eighth of that size), hnsw (graph)."""
KINDS: tuple[IndexKind, ...] = get_args(IndexKind)

FLAT_BYTES = 256 << 20
"""Size up to which float32 vectors are kept in memory and scored by BLAS: about 20 ms a query."""
MAX_SCANNED = 640_000_000
"""Number of elements (rows x dim) up to which an exhaustive scan is used; slightly more than the
1,079,370 located items of RS5M x 512."""
MIN_FOR_LISTS = 1024
"""Minimum number of vectors to train inverted lists."""
AXES = "AXES"
"""Prefix of factory strings with a projection to principal axes: `AXES256,IVF4096,SQ8`."""
MIN_FOR_AXES = 256
"""Minimum vector length for such a projection. Of 512 axes, half kept 0.89 of the squared length of
clustered vectors, three quarters 0.94, and re-ranking recovered all lost neighbours."""
_LINKS = 32
_UNITS = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6}
_UNITS |= {"GB": 10**9, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "B": 1}


@dataclass(frozen=True)
class IndexPlan:
    """The chosen index type."""

    kind: IndexKind
    """Index type."""
    factory: str
    """FAISS factory string; empty if no FAISS index is needed."""
    memory_bytes: int
    """Approximate memory needed for fast answers, mapped or not, without the vectors that are only
    read for re-ranking."""
    reason: str
    """Reason of the choice, for people."""


def plan_index(count: int, dim: int, memory: int, kind: str = "auto") -> IndexPlan:
    """Choose an index type.

    Exact types are chosen while an exhaustive scan takes tens of milliseconds, otherwise inverted
    lists. A graph is only built on request: it needs several times the memory of the lists, and the
    longest time to build.

    Args:
        count: number of vectors.
        dim: their length.
        memory: bytes the index may hold.
        kind: one of `KINDS`, or `auto`.

    Raises:
        ConfigError: the kind is unknown, does not fit into the memory, or needs more vectors.
    """
    if kind != "auto":
        if kind not in KINDS:
            raise ConfigError(f"no index kind {kind!r}; there are auto, {', '.join(KINDS)}")
        if kind in ("ivfsq", "ivfpq") and count < MIN_FOR_LISTS:
            raise ConfigError(
                f"{count:,} vectors are too few to train an {kind} index (minimum: "
                f"{MIN_FOR_LISTS:,}); use --kind auto"
            )
        plan = _plan(kind, count, dim, memory, "requested")
        if plan.memory_bytes > memory:
            raise ConfigError(
                f"a {kind} index of {count:,} x {dim} vectors needs {_size(plan.memory_bytes)}, "
                f"more than {_size(memory)}; raise --memory or use --kind auto"
            )
        return plan
    if 4 * count * dim <= min(FLAT_BYTES, memory):
        return _plan(
            "flat", count, dim, memory, "few enough to keep in memory and compare with all"
        )
    few = count * dim <= MAX_SCANNED
    if few and 2 * count * dim <= memory:
        return _plan(
            "fp16", count, dim, memory, "few enough for an exact scan of the stored vectors"
        )
    if few and count * dim <= memory:
        return _plan(
            "int8", count, dim, memory, "few enough for an exact scan, of bytes to save memory"
        )
    kinds: tuple[IndexKind, ...] = ("ivfsq", "ivfpq")
    if dim >= MIN_FOR_AXES:
        kinds = ("ivfpq",)  # as accurate as bytes of half of the axes, and faster
    for listed in kinds:
        plan = _plan(listed, count, dim, memory, "too many for an exhaustive scan")
        if count >= MIN_FOR_LISTS and plan.memory_bytes <= memory:
            return plan
    reason = "no index fits into the allowed memory; the stored file is read for every query"
    return IndexPlan("fp16", "", 0, reason)


def _plan(kind: IndexKind, count: int, dim: int, memory: int, reason: str) -> IndexPlan:
    if kind == "flat":
        return IndexPlan(kind, "", 4 * count * dim, reason)
    if kind == "fp16":
        return IndexPlan(kind, "", 2 * count * dim, reason)
    if kind == "int8":
        return IndexPlan(kind, "", count * dim, reason)
    if kind == "hnsw":
        return IndexPlan(kind, f"HNSW{_LINKS},SQ8", count * (dim + 8 * _LINKS + 16), reason)
    return _finest_lists(kind, count, dim, memory, reason)


def _finest_lists(kind: IndexKind, count: int, dim: int, memory: int, reason: str) -> IndexPlan:
    """Inverted lists with the finest codes that fit into the memory, or else the coarsest."""
    lists, wide = _lists(count), dim >= MIN_FOR_AXES
    if kind == "ivfsq":
        # half of the axes: same recall as all in half the time, and as small as 4 bits of all axes
        codes = [("", "SQ8", dim, dim), ("", "SQ4", (dim + 1) // 2, dim)]
        if wide:
            codes = [(f"{AXES}{dim // 2},", "SQ8", dim // 2, dim // 2)]
    else:
        # r: codes of residuals; without it the recall stays low at any search effort
        sizes = [size for size in (2, 4, 8) if dim % size == 0] or [1]
        codes = [("", f"PQ{dim // size}x4fsr", (dim // size + 1) // 2, dim) for size in sizes]
        if (
            wide
        ):  # a code of fewer axes is more accurate than one of all axes at this size, and faster
            kept = 3 * dim // 8 * 2
            codes = [(f"{AXES}{kept},", f"PQ{kept // 2}x4fsr", kept // 4, kept), *codes[1:]]
    plans = [
        IndexPlan(kind, f"{axes}IVF{lists},{name}", count * (size + 8) + 4 * lists * kept, reason)
        for axes, name, size, kept in codes
    ]
    return next((plan for plan in plans if plan.memory_bytes <= memory), plans[-1])


def _lists(count: int) -> int:
    """Number of inverted lists: the power of two nearest to 2.3 sqrt(n), at most n / 39.

    That is 4096 for two to six million vectors.
    """
    wanted = 1 << round(math.log2(max(1.0, 2.3 * math.sqrt(count))))
    return max(1, min(wanted, count // 39))  # FAISS requires 39 training points per list


def parse_memory(text: str) -> int:
    """Parse a size such as `2GiB`, `500 MB` or `1.5g` to bytes.

    Raises:
        ConfigError: the text is no size above 0.
    """
    compact = text.strip().upper().replace(" ", "")
    number = compact.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = compact[len(number) :]
    try:
        size = float(number) * _UNITS[unit]
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{text!r} is no size of memory; write 2GiB or 500MB") from error
    if not 1 <= size < 2**60:
        raise ConfigError(f"{text!r} is no size of memory; write 2GiB or 500MB")
    return int(size)


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**29 else f"{count / 2**20:.1f} MiB"
