"""Results that move when a constant of RS5M's construction moves."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from terraseek.catalogue.metadata.rs_keywords import KEYWORDS, caption_keywords
from terraseek.encoders.prompts import prompts
from terraseek.imagehash import ORIENTATIONS
from terraseek_train.corpus.captions.captioner import HuggingFaceCaptioner
from terraseek_train.corpus.detector.prompts import PROMPTS
from terraseek_train.corpus.geo.season import season
from terraseek_train.corpus.output.shards import split_items
from terraseek_train.corpus.recipe import parse_recipe
from terraseek_train.corpus.stages.captions import Captions
from terraseek_train.corpus.stages.duplicates import Duplicates
from terraseek_train.corpus.stages.outliers import Outliers
from terraseek_train.corpus.vectors import vector_column


@pytest.mark.parametrize(
    ("steps", "kept"), [({"first": 99, "second": 99}, 20), ({"second": 99}, 10), ({}, 5)]
)
def test_20_candidates_become_10_and_then_5(steps: dict[str, int], kept: int, tmp_path: Path):
    lines = [f"{word} field {n}" for word in ("red", "green", "blue") for n in range(40)]
    (tmp_path / "bank.txt").write_text("\n".join(lines))
    settings: dict[str, Any] = {"first_model": "fake", "second_model": "fake", **steps}
    stage = Captions(f"bank:{tmp_path / 'bank.txt'}", **settings)
    rgb = np.full((40, 40, 3), (220, 20, 20), np.uint8)
    captions, invariant = stage._write(rgb, "item")
    assert len(set(captions)) == kept
    assert invariant in captions


class Sampler:
    """Model and processor that keep what they were asked for."""

    asked: dict[str, Any]

    def __call__(self, **_: object) -> dict[str, object]:
        return {}

    def generate(self, **asked: object) -> object:
        self.asked = asked
        return None

    def batch_decode(self, tokens: object, skip_special_tokens: bool) -> list[str]:
        return ["a field", " "]


def test_captions_are_sampled_as_published():
    captioner = object.__new__(HuggingFaceCaptioner)
    captioner._processor = captioner._model = sampler = Sampler()
    rgb = np.zeros((4, 4, 3), np.uint8)
    assert captioner.candidates(rgb, 20, np.random.default_rng(0)) == ["a field"]
    assert sampler.asked == {
        "do_sample": True,
        "top_k": 50,
        "top_p": 0.95,
        "max_length": 50,
        "num_return_sequences": 20,
    }


def test_the_top_90_percent_by_vlm_score_and_80_by_detector_are_kept():
    scores = np.arange(1000, dtype=np.float64)
    found = Outliers(detector="file").decide(pa.table({"s": scores, "c": scores}))
    counts = {reason: found.reasons.count(reason) for reason in set(found.reasons)}
    assert counts == {"": 800, "detector": 100, "vlm score and detector": 100}


def at_angles(*groups: list[float]) -> pa.Table:
    angles = np.array([angle for group in groups for angle in group])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    hashes = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ones(len(angles) * len(ORIENTATIONS), np.uint64)), len(ORIENTATIONS)
    )
    names = [f"item {n}" for n in range(len(angles))]
    return pa.table(
        {
            "item": names,
            "source": ["a"] * len(names),
            "hash": hashes,
            "vector": vector_column(vectors),
        }
    )


@pytest.mark.parametrize(("nearer", "groups"), [(4, 1), (5, 2)])
def test_five_nearest_neighbours_connect_duplicates(nearer: int, groups: int):
    # the first group meets the second through one pair alone, at a cosine of 0.92: the image at
    # 0.10 has `nearer` neighbours that are nearer, the one at 0.50 has six
    first = [0.01 * n for n in range(nearer)] + [0.10]
    second = [0.50] + [0.60 + 0.01 * n for n in range(6)]
    found = Duplicates("embedding", max_bits=64).decide(at_angles(first, second))
    assert found.facts["groups"] == groups


def test_a_twentieth_is_for_validation():
    value = {"version": 1, "name": "t", "out": "o", "stages": [{"stage": "keywords"}]}
    value |= {"sources": [{"name": "a", "kind": "captions", "path": "x"}]}
    recipe = parse_recipe(value, "test")
    items = [f"item {n}" for n in range(400)]
    splits = split_items(items, ["a"] * 200 + ["b"] * 200, recipe.val_share, recipe.seed)
    assert sorted(splits) == ["train"] * 380 + ["val"] * 20


def test_a_season_has_three_months_from_december_on():
    found = [season(month, None, northern_only=True) for month in (12, *range(1, 12))]
    assert found == [name for name in ("Winter", "Spring", "Summer", "Fall") for _ in range(3)]


KEYWORDS_OF_THE_PAPER = """
remote sensing|earth observ|aerial imag|aerial photo|aerial map|aerial pic|aerial view|aerial scan
aerial satellite|satellite imag|satellite photo|satellite map|satellite pic|satellite view
satellite scan|satellite data|satellite surveillance|space photo|spaceborne photo
space-borne photo|space imag|spaceborne imag|space-borne imag|space view|spaceborne view
space-borne view|space surveillance|Google Earth|Freesound|Sentinel-1|Sentinel-2|Gaofen|USGS|NAIP
MODIS|EOSDIS|WorldView|Planet Dove|ArcGIS|Maxar|Landsat|Geographic Information System|sentinel 1
sentinel 2
"""


def test_the_keywords_are_those_of_appendix_b2():
    stems = [stem for line in KEYWORDS_OF_THE_PAPER.split("\n") for stem in line.split("|") if stem]
    assert len(stems) == 27 + 15 + 2
    assert sorted(KEYWORDS) == sorted(stem.lower() for stem in stems)
    for stem in stems:
        assert stem.lower() in caption_keywords(f"An {stem}ery of a town")
    assert caption_keywords("the Earth observed by SPOT; aerialimage of space") == ["earth observ"]


ADJECTIVES = (
    "low resolution|bad|cropped|bright|dark|close-up|black and white|jpeg corrupted|blurry|good"
)


def test_prompts_are_written_as_in_the_paper():
    nouns = ("remote sensing image", "aerial image", "satellite image")
    adjectives = ADJECTIVES.split("|")
    for noun in nouns:
        for word in adjectives:
            assert f"a {word} {noun}." in PROMPTS
            assert f"a {word} {noun} of the {{}}." in prompts()
            assert f"a {word} {noun} of a {{}}." in prompts()
        article = "an" if noun[0] == "a" else "a"
        assert f"{article} {noun}." in PROMPTS
        assert f"{article} {noun} of many {{}}." in prompts()
        for start in ("a", "the"):
            assert f"{article} {noun} of {start} {{}}." in prompts()
            assert f"{article} {noun} of {start} hard to see {{}}." in prompts()
            for word in ("large", "nice", "small", "weird", "cool"):
                assert f"{article} {noun} of {start} {word} {{}}." in prompts()
    assert (len(PROMPTS), len(prompts()), len(set(prompts()))) == (33, 105, 105)
