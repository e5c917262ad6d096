"""Orders, cuts and comparisons of ranked hits."""

import pytest

from terraseek.search import Hit
from terraseek.search.ranking import compare_rankings, refine
from terraseek.significance.model import Level


def hit(rank: int, score: float, level: Level | None = None) -> Hit:
    return Hit(f"i{rank}", score, None, None, "", "", rank, "", "", "none", significance=level)


HITS = [hit(1, 0.4, "likely"), hit(2, 0.3, "none"), hit(3, 0.3), hit(4, 0.1, "possible")]


def ids(hits: list[Hit]) -> list[str]:
    return [one.item_id for one in hits]


def test_cuts_leave_out_hits_and_keep_ranks() -> None:
    assert ids(refine(HITS, min_score=0.3)) == ["i1", "i2", "i3"]
    assert ids(refine(HITS, only_significant=True)) == ["i1", "i3"]
    assert [one.rank for one in refine(HITS, only_significant=True)] == [1, 3]
    assert refine(HITS, min_score=0.5) == []


def test_orders_put_unknown_ones_last() -> None:
    dates = {"i1": "2017-01", "i3": "2018", "i4": "2017-01", "i2": ""}
    assert ids(refine(HITS, "date", keys=dates)) == ["i3", "i1", "i4", "i2"]
    places = {"i1": "Lima", "i2": "berlin", "i3": "Ölmütz"}
    assert ids(refine(HITS, "place", keys=places)) == ["i2", "i1", "i3", "i4"]


def test_rankings_are_compared() -> None:
    same = compare_rankings(list("abcd"), list("abcd"))
    assert same.rbo == pytest.approx(1)
    assert same.jaccard == 1
    none = compare_rankings(list("abcd"), list("wxyz"))
    assert (none.rbo, none.jaccard, none.common) == (0, 0, ())
    found = compare_rankings(list("abcd"), list("bax"))
    assert found.common == ("a", "b")
    assert found.rank_changes == (("a", 1, 2), ("b", 2, 1))
    assert found.jaccard == pytest.approx(2 / 5)
    # depths 1, 2, 3 share 0, 2, 2 items
    expected = 2 / 3 * 0.9**3 + 0.1 / 0.9 * (0 + 0.9**2 + 2 / 3 * 0.9**3)
    assert found.rbo == pytest.approx(expected)
    top = compare_rankings(list("abcdefgh"), list("abcdxyzw")).rbo
    assert top > compare_rankings(list("abcdefgh"), list("xyzwefgh")).rbo
    assert compare_rankings([], ["a"]).rbo == 0
