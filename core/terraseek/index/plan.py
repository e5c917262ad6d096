"""Which kind of index fits: from the number of vectors, their length and the memory allowed."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from terraseek.errors import ConfigError

__all__ = ["AXES", "KINDS", "IndexKind", "IndexPlan", "parse_memory", "plan_index"]

IndexKind = Literal["flat", "fp16", "int8", "ivfsq", "ivfpq", "hnsw"]
"""flat: float32 in memory; fp16: the stored file, mapped; int8: codes of a byte a number, mapped
and certified by the stored vectors (these three are exact); ivfsq: inverted lists of 8 or 4 bits a
number, of all axes or of half; ivfpq: of 4-bit product codes, which take an eighth of that; hnsw: a
graph (these three are not, and are re-ranked by the stored vectors)."""
KINDS: tuple[IndexKind, ...] = get_args(IndexKind)

FLAT_BYTES = 256 << 20
"""Up to this size float32 vectors are kept in memory and scored by BLAS: some 20 ms a query."""
SCANNED = 640_000_000
"""Up to so many numbers are scanned whole: RS5M's 1,079,370 located items x 512 and some more."""
LEAST_FOR_LISTS = 1024
"""Fewest vectors whose clusters can be learnt."""
AXES = "AXES"
"""Begins the name of an index that looks only at so many principal axes: `AXES256,IVF4096,SQ8`."""
LEAST_FOR_AXES = 256
"""Numbers a vector must have for some of its axes to be enough; of 512 a half held 0.89 of the
square of the length of clustered vectors, three quarters 0.94, and lost no neighbours that
re-ranking did not bring back."""
_LINKS = 32
_UNITS = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6}
_UNITS |= {"GB": 10**9, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "B": 1}


@dataclass(frozen=True)
class IndexPlan:
    """A kind of index for so many vectors."""

    kind: IndexKind
    """What kind."""
    factory: str
    """FAISS' name of it; empty for what needs no FAISS index."""
    memory_bytes: int
    """About how much must be in memory for quick answers, mapped or not; vectors that are only
    re-ranked are not counted."""
    reason: str
    """Why this one."""


def plan_index(count: int, dim: int, memory: int, kind: str = "auto") -> IndexPlan:
    """Choose an index.

    Exact kinds are taken while a whole scan answers in tens of milliseconds, then inverted lists.
    A graph is taken only when asked for: it holds several times the memory of the lists, and takes
    the longest to build.

    Args:
        count: number of vectors.
        dim: their length.
        memory: bytes the index may hold.
        kind: one of `KINDS`, or `auto`.

    Raises:
        ConfigError: no such kind, it does not fit into the memory, or it needs more vectors.
    """
    if kind != "auto":
        if kind not in KINDS:
            raise ConfigError(f"no index kind {kind!r}; there are auto, {', '.join(KINDS)}")
        if kind in ("ivfsq", "ivfpq") and count < LEAST_FOR_LISTS:
            raise ConfigError(
                f"{count:,} vectors are too few to train an {kind} index (it takes "
                f"{LEAST_FOR_LISTS:,}); take --kind auto"
            )
        plan = _plan(kind, count, dim, memory, "asked for")
        if plan.memory_bytes > memory:
            raise ConfigError(
                f"a {kind} index of {count:,} x {dim} vectors needs {_size(plan.memory_bytes)}, "
                f"more than {_size(memory)}; raise --memory or take --kind auto"
            )
        return plan
    if 4 * count * dim <= min(FLAT_BYTES, memory):
        return _plan("flat", count, dim, memory, "few enough to be compared whole in memory")
    few = count * dim <= SCANNED
    if few and 2 * count * dim <= memory:
        return _plan(
            "fp16", count, dim, memory, "few enough for an exact scan of the stored vectors"
        )
    if few and count * dim <= memory:
        return _plan(
            "int8", count, dim, memory, "few enough for an exact scan, of bytes to save memory"
        )
    kinds: tuple[IndexKind, ...] = ("ivfsq", "ivfpq")
    if dim >= LEAST_FOR_AXES:
        kinds = ("ivfpq",)  # as good as bytes of half of the axes, and quicker
    for lists in kinds:
        plan = _plan(lists, count, dim, memory, "too many for a whole scan")
        if count >= LEAST_FOR_LISTS and plan.memory_bytes <= memory:
            return plan
    reason = "the memory allowed holds no index; the stored file is read for every query"
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
    """Inverted lists with the finest codes of their kind that the memory holds, or the coarsest."""
    lists, wide = _lists(count), dim >= LEAST_FOR_AXES
    if kind == "ivfsq":
        # half of the axes: the same recall as all at half the time, and as small as 4 bits of all
        codes = [("", "SQ8", dim, dim), ("", "SQ4", (dim + 1) // 2, dim)]
        if wide:
            codes = [(f"{AXES}{dim // 2},", "SQ8", dim // 2, dim // 2)]
    else:
        # r: codes of what a list's centre leaves; without it they miss what no effort brings back
        sizes = [size for size in (2, 4, 8) if dim % size == 0] or [1]
        codes = [("", f"PQ{dim // size}x4fsr", (dim // size + 1) // 2, dim) for size in sizes]
        if wide:  # a shorter code of fewer axes loses less than one of all, and is quicker read
            kept = 3 * dim // 8 * 2
            codes = [(f"{AXES}{kept},", f"PQ{kept // 2}x4fsr", kept // 4, kept), *codes[1:]]
    plans = [
        IndexPlan(kind, f"{axes}IVF{lists},{name}", count * (size + 8) + 4 * lists * kept, reason)
        for axes, name, size, kept in codes
    ]
    return next((plan for plan in plans if plan.memory_bytes <= memory), plans[-1])


def _lists(count: int) -> int:
    """Number of inverted lists: the power of two next to 2.3 sqrt(n), few enough to be trained.

    That is 4096 for two to six million.
    """
    wanted = 1 << round(math.log2(max(1.0, 2.3 * math.sqrt(count))))
    return max(1, min(wanted, count // 39))  # FAISS wants 39 training points a list


def parse_memory(text: str) -> int:
    """Bytes of `2GiB`, `500 MB`, `1.5g`.

    Raises:
        ConfigError: it is no size above 0.
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
