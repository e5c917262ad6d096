"""Ensembles of registered models: cosines, different inputs, feature maps, changed members."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from helpers.ensemble_runs import ARCH, MEANS, STDS, encoder, run
from terraseek.cli import build_app
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.load import add_ensemble, load_encoder
from terraseek.encoders.nets.ensemble_encoder import EnsembleEncoder, ensemble_card
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder
from terraseek.encoders.registry import get_card, save_card
from terraseek.errors import ConfigError, WeightsChecksumError

TEXTS = ["a red roof", "two ponds in a park"]


@pytest.fixture
def members(tmp_path: Path) -> list[OpenClipEncoder]:
    """Two networks of equal cells whose pixels are normalised differently."""
    wide = ARCH | {"embed_dim": 12}
    first = run(tmp_path / "first", 1)
    second = run(tmp_path / "second", 2, arch=wide)
    pair = [encoder(first), encoder(second)]
    other = replace(pair[1].card, preprocess=replace(pair[1].card.preprocess, mean=STDS, std=MEANS))
    return [pair[0], OpenClipEncoder(other, "cpu")]


@pytest.fixture
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(3)]


def test_the_cosine_is_the_weighted_mean(
    members: list[OpenClipEncoder], images: list[np.ndarray]
) -> None:
    card = ensemble_card("both", [(members[0], 3), (members[1], 1)])
    both = EnsembleEncoder(card, members)
    cosines = [m.encode_images(images) @ m.encode_texts(TEXTS).T for m in members]
    got = both.encode_images(images) @ both.encode_texts(TEXTS).T
    np.testing.assert_allclose(got, 0.75 * cosines[0] + 0.25 * cosines[1], atol=1e-5)
    assert both.dim == 20
    squares = np.stack([both.fit(image) for image in images])
    np.testing.assert_allclose(both.encode_squares(squares), both.encode_images(images), atol=1e-5)


def test_members_may_have_inputs_of_different_size(
    members: list[OpenClipEncoder], images: list[np.ndarray]
) -> None:
    small = members[0]
    how = members[1].card.preprocess
    large = OpenClipEncoder(replace(members[1].card, preprocess=replace(how, size=64)), "cpu")
    both = EnsembleEncoder(ensemble_card("both", [(small, 1), (large, 1)]), [small, large])
    assert both.image_size == 64
    assert both.dense is None
    vectors = both.encode_images(images)
    np.testing.assert_allclose(vectors[:, :8] * 2**0.5, small.encode_images(images), atol=1e-5)
    np.testing.assert_allclose(vectors[:, 8:] * 2**0.5, large.encode_images(images), atol=1e-5)


def test_feature_maps_are_those_of_all_members(members: list[OpenClipEncoder]) -> None:
    both = EnsembleEncoder(ensemble_card("both", [(m, 1) for m in members]), members)
    dense = both.dense
    assert dense is not None
    blocks = np.random.default_rng(1).integers(
        0, 256, (1, dense.side, dense.side, 3), dtype=np.uint8
    )
    means = dense.cells(blocks).mean(axis=(1, 2))
    got = dense.project(means)
    start = 0
    for member in members:
        alone = member.dense
        assert alone is not None
        part = alone.project(alone.cells(blocks).mean(axis=(1, 2)))
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        ours = got[:, start : start + member.dim] * 2**0.5
        np.testing.assert_allclose(ours, unit, atol=1e-4)
        start += member.dim


def test_a_registered_ensemble_loads_until_a_member_changes(
    members: list[OpenClipEncoder], images: list[np.ndarray]
) -> None:
    for member in members:
        save_card(member.card)
    card = add_ensemble("both", {"first": 1, "second": 1})
    assert ModelCard.from_json(card.to_json()) == card
    both = load_encoder("both", "cpu")
    assert both.encoder_id == card.encoder_id(card.weights.sha256 or "")
    assert both.encode_images(images).shape == (3, 20)
    how = replace(members[1].card.preprocess, interpolation="bilinear")
    save_card(replace(members[1].card, preprocess=how), replace=True)
    with pytest.raises(WeightsChecksumError, match="second"):
        load_encoder("both", "cpu")


def test_weights_are_part_of_the_identity(members: list[OpenClipEncoder]) -> None:
    ids = {
        EnsembleEncoder(
            ensemble_card("both", [(members[0], weight), (members[1], 1)]), members
        ).encoder_id
        for weight in (1, 2)
    }
    assert len(ids) == 2


@pytest.mark.parametrize(("weights", "problem"), [([1], "at least two"), ([1, 0], "above 0")])
def test_members_that_make_no_ensemble_are_refused(
    members: list[OpenClipEncoder], weights: list[float], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        ensemble_card("both", list(zip(members, weights, strict=False)))


def test_the_command_line_registers_an_ensemble(members: list[OpenClipEncoder]) -> None:
    for member in members:
        save_card(member.card)
    arguments = ["models", "add", "pair", "--ensemble", "first=3", "--ensemble", "second"]
    result = CliRunner().invoke(build_app(), arguments)
    assert result.exit_code == 0, result.output
    assert [member.weight for member in get_card("pair").ensemble] == [0.75, 0.25]
    listed = CliRunner().invoke(build_app(), ["models", "list", "--json"])
    assert '"pair"' in listed.output
    wrong = CliRunner().invoke(build_app(), ["models", "add", "x", "--ensemble", "first=much"])
    assert wrong.exit_code == 2
    assert "first=much" in wrong.output
