"""Evidence of every sentence on every catalogue and scene, and how well it separates them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Shaped

from terraseek.encoders.base import Encoder
from terraseek.encoders.calibration import Calibration
from terraseek.encoders.vocabulary import mostly_unknown
from terraseek.significance.evidence import N_BEST, PairCosines, QueryVectors, evidence
from terraseek.significance.fit import LIKELY_RATE, KnownQuery
from terraseek.significance.model import SignificanceModel
from terraseek.significance.readable import readable
from terraseek.significance.reference import reference_texts
from terraseek_train.evaluate.significance.catalogues import BenchmarkSet
from terraseek_train.evaluate.significance.truth import (
    HALVES,
    KINDS,
    BenchmarkSentence,
    Half,
    image_truth,
    pair_kind,
    read_sentences,
    read_truth,
)

__all__ = ["Pair", "candidate_table", "figures", "known_queries"]

SHOWN = 24
"""Hits for which the number of right ones is expected."""
_RESAMPLES = 1000
_UNREADABLE = -1e9


@dataclass(frozen=True, eq=False)
class Pair:
    """A sentence on a catalogue or scene of its half."""

    half: Half
    set_name: str
    query: KnownQuery
    candidates: Mapping[str, float]
    """Statistics by name that could decide alone."""


def known_queries(sets: Sequence[BenchmarkSet], encoder: Encoder) -> list[Pair]:
    """Measure all sentences of a half on all sets of the same half; unknown pairs are left out."""
    sentences = read_sentences()
    vectors = encoder.encode_texts([sentence.text for sentence in sentences])
    references = reference_texts(encoder)
    pairs = []
    for one in sets:
        pair_cosines = PairCosines.of(one.vectors)
        reference_scores = one.vectors @ references.overhead.T
        reference_tops = np.sort(reference_scores, axis=0)[-N_BEST:].mean(axis=0)
        for sentence, vector in zip(sentences, vectors, strict=True):
            if sentence.half != one.half:
                continue
            shown, kind = _truth(sentence, one)
            if kind is None:
                continue
            scores = one.vectors @ vector
            best = np.argsort(-scores, kind="stable")[:SHOWN]
            right = np.zeros(len(best))
            if kind == "present":  # windows have no truth of their own
                right = np.full(len(best), np.nan)
                if shown is not None and not one.is_scene:
                    right = shown[best]
            found = evidence(QueryVectors(vector), one.vectors[best], references, pair_cosines)
            query = KnownQuery(found, kind, right, readable([sentence.text], encoder.card))
            on_best = reference_scores[best[:N_BEST]].mean(axis=0)
            values = _candidates(sentence.text, scores, on_best, reference_tops, encoder)
            values |= {"fit": found.fit, "agreement": found.agreement, "wording": found.wording}
            pairs.append(Pair(one.half, one.name, query, values))
    return pairs


def _truth(
    sentence: BenchmarkSentence, one: BenchmarkSet
) -> tuple[Float64[np.ndarray, " n"] | None, str | None]:
    """Which images show the sentence, and the kind of the pair; None where that is unknown."""
    if sentence.kind != "thing":
        return None, sentence.kind
    if not one.data:  # an annotated scene
        scene = read_truth()["scenes"][one.name]
        if sentence.concept in scene["shows"]:
            return None, "present"
        return None, None if sentence.concept in scene["may_show"] else "absent"
    shown = image_truth(one.data, one.labels, one.captions, sentence.concept)
    if one.is_scene and (shown == 1).any():
        return shown, "present"  # one tile is enough
    return shown, pair_kind(sentence, shown)


def _candidates(
    text: str,
    scores: Float32[np.ndarray, " n"],
    on_best: Float32[np.ndarray, " r"],
    tops: Float32[np.ndarray, " r"],
    encoder: Encoder,
) -> dict[str, float]:
    """Statistics of a sentence that could decide alone.

    Args:
        text: the sentence.
        scores: its cosine with each image.
        on_best: mean cosine of each reference caption with the sentence's best images.
        tops: mean cosine of each reference caption with its own best images.
        encoder: of all cosines.
    """
    top = np.sort(scores)[-N_BEST:].mean()
    found = {
        "best cosine": float(scores.max()),
        "best against reference sentences on the same images": float(
            (top - tops.mean()) / tops.std()
        ),
        "margin over 90 % of the reference sentences on the best images": float(
            top - np.quantile(on_best, 0.9)
        ),
    }
    calibration = encoder.calibration
    if calibration is not None:
        found["false discovery rate, as before"] = _false_discovery(calibration, scores)
        unknown = mostly_unknown([text], encoder.card.calibration if encoder.card else None)
        found["max of n, as before"] = _UNREADABLE if unknown else float(scores.max())
    return found


def _false_discovery(calibration: Calibration, scores: Float32[np.ndarray, " n"]) -> float:
    """Negative of the lowest estimated share of unrelated images among those above a cosine."""
    cosines = np.sort(scores)[::-1].astype(np.float64)
    expected = 1 - calibration.percentiles(cosines) / 100
    found = np.arange(1, len(cosines) + 1) / len(cosines)
    return -float((expected / found).min())


def candidate_table(
    pairs: Sequence[Pair], model: SignificanceModel, half: Half
) -> list[dict[str, Any]]:
    """ROC-AUC and found share of every statistic, at 5 % false positives of this half."""
    used = [pair for pair in pairs if pair.half == half]
    kinds = np.array([pair.query.kind for pair in used])
    rows = []
    for name in used[0].candidates:
        values = np.array([pair.candidates[name] for pair in used])
        rows.append({"statistic": name, **_separation(values, kinds)})
    scores = np.array([_score(pair, model) for pair in used])
    rows.append({"statistic": "fit, agreement and wording, shipped", **_separation(scores, kinds)})
    return rows


def _score(pair: Pair, model: SignificanceModel) -> float:
    return model.score(pair.query.evidence) if pair.query.readable else _UNREADABLE


def _separation(
    values: Float64[np.ndarray, " n"], kinds: Shaped[np.ndarray, " n"]
) -> dict[str, float]:
    present, other = values[kinds == "present"], values[kinds != "present"]
    absent = values[kinds == "absent"]
    return {
        "roc_auc": _auc(present, other),
        "roc_auc_absent": _auc(present, absent),
        "found_at_5": float((present > np.quantile(other, 1 - LIKELY_RATE)).mean()),
    }


def _auc(present: Float64[np.ndarray, " n"], other: Float64[np.ndarray, " m"]) -> float:
    above = (present[:, None] > other).mean() + (present[:, None] == other).mean() / 2
    return float(above)


def figures(pairs: Sequence[Pair], model: SignificanceModel) -> dict[str, Any]:
    """Figures of both halves: operating curve, levels by kind, counts of right hits.

    Intervals are 95 % percentile bootstrap intervals over the pairs of sentence and set.
    """
    return {half: _half_figures([p for p in pairs if p.half == half], model) for half in HALVES}


def _half_figures(pairs: Sequence[Pair], model: SignificanceModel) -> dict[str, Any]:
    kinds = np.array([pair.query.kind for pair in pairs])
    scores = np.array([_score(pair, model) for pair in pairs])
    present, other = scores[kinds == "present"], scores[kinds != "present"]
    levels = [model.assess(pair.query.evidence, pair.query.readable) for pair in pairs]
    reached = np.array([one.level == "likely" for one in levels])
    some = np.array([one.level != "none" for one in levels])
    found_at_5, interval = _found_interval(present, other)
    return {
        "sets": len({pair.set_name for pair in pairs}),
        "pairs": {kind: int((kinds == kind).sum()) for kind in KINDS},
        "roc_auc": _auc(present, other),
        "roc_auc_absent": _auc(present, scores[kinds == "absent"]),
        "found_at_5": found_at_5,
        "found_at_5_interval": interval,
        "curve": {
            f"{rate:g}": float((present > np.quantile(other, 1 - rate)).mean())
            for rate in (0.01, 0.02, 0.05, 0.1, 0.2)
        },
        "false_likely": float(reached[kinds != "present"].mean()),
        "likely": {kind: _share(reached, kinds == kind) for kind in KINDS},
        "likely_or_possible": {kind: _share(some, kinds == kind) for kind in KINDS},
        "right_hits": _right_hits(pairs, [one.probabilities for one in levels]),
    }


def _share(flags: Bool[np.ndarray, " n"], chosen: Bool[np.ndarray, " n"]) -> dict[str, Any]:
    values = flags[chosen]
    if not len(values):
        return {"share": None, "interval": None}
    rng = np.random.default_rng(0)
    drawn = rng.choice(values, (_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return {"share": float(values.mean()), "interval": [float(low), float(high)]}


def _found_interval(
    present: Float64[np.ndarray, " n"], other: Float64[np.ndarray, " m"]
) -> tuple[float, list[float]]:
    """Share found at 5 % false positives; both kinds of pairs are drawn again."""
    rng = np.random.default_rng(0)

    def share(p: Float64[np.ndarray, " n"], o: Float64[np.ndarray, " m"]) -> float:
        return float((p > np.quantile(o, 1 - LIKELY_RATE)).mean())

    drawn = [
        share(rng.choice(present, len(present)), rng.choice(other, len(other)))
        for _ in range(_RESAMPLES)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return share(present, other), [float(low), float(high)]


def _right_hits(
    pairs: Sequence[Pair], probabilities: Sequence[Float64[np.ndarray, " k"]]
) -> dict[str, float] | None:
    """Mean expected and true number of right hits of likely queries whose hits are all known."""
    expected, true = [], []
    for pair, chances in zip(pairs, probabilities, strict=True):
        if pair.query.kind == "present" and np.isfinite(pair.query.right).all():
            expected.append(float(chances.sum()))
            true.append(float(pair.query.right.sum()))
    if not expected:
        return None
    return {
        "queries": len(expected),
        "expected": float(np.mean(expected)),
        "true": float(np.mean(true)),
        "mean_error": float(np.abs(np.subtract(expected, true)).mean()),
    }
