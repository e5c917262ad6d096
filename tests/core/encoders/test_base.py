import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terraseek.encoders.base import fit_square, unit
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import EmptyQueryError, ModelError


def make_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40))
def test_fit_square_is_the_resize_and_crop_clip_was_trained_with(h: int, w: int, side: int) -> None:
    from PIL import Image
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    image = make_image(h, w)
    steps = Compose([Resize(side, InterpolationMode.BICUBIC), CenterCrop(side)])
    assert np.array_equal(fit_square(image, side), np.asarray(steps(Image.fromarray(image))))


def test_vectors_are_unit_rows_whatever_the_batch() -> None:
    encoder = FakeEncoder()
    images = [make_image(40 + i, 60, i) for i in range(7)]
    encoder.batch_size = 3
    many = encoder.encode_images(images)
    one_by_one = np.concatenate([encoder.encode_images([image]) for image in images])
    assert np.allclose(np.linalg.norm(many, axis=1), 1, atol=1e-6)
    assert np.allclose(many, one_by_one, atol=1e-6)


def test_the_fake_finds_colours() -> None:
    encoder = FakeEncoder()
    flat = [
        np.full((32, 32, 3), c, np.uint8) for c in ([200, 10, 10], [10, 200, 10], [10, 10, 200])
    ]
    scores = (
        encoder.encode_texts(["a red roof", "green", "blue sea"]) @ encoder.encode_images(flat).T
    )
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


def test_nothing_to_encode_gives_no_rows() -> None:
    assert FakeEncoder().encode_images([]).shape == (0, 16)


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_sentence_is_refused(text: str) -> None:
    with pytest.raises(EmptyQueryError, match="empty"):
        FakeEncoder().encode_texts([text])


def test_zero_vectors_have_no_direction() -> None:
    with pytest.raises(ModelError, match="non-finite"):
        unit(np.zeros((1, 4), np.float32))


def test_progress_counts_to_the_end() -> None:
    seen: list[tuple[str, int, int]] = []
    FakeEncoder().encode_images([make_image(9, 9)] * 3, lambda *step: seen.append(step))
    assert seen[-1] == ("encode images", 3, 3)
