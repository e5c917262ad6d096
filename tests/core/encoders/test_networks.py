"""Ensembles with hubness correction are plain torch modules, which can be pickled."""

import pickle
from typing import Any

import torch

from helpers.ensemble_runs import ARCH
from terraseek.encoders.architecture import HUBNESS_DIMS, ensemble_members
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.ensemble import EnsembleClip

HUBS = {
    "sharpness": 8.0,
    "pictures": {"count": 5, "weight": 0.5},
    "sentences": {"count": 6, "weight": 0.75},
    "centred": True,
}


def test_a_pickled_ensemble_gives_the_same_vectors() -> None:
    torch.manual_seed(0)
    dim = 2 * ARCH["embed_dim"] + HUBNESS_DIMS
    model: Any = build_model(ARCH | {"members": 2, "embed_dim": dim, "hubs": HUBS})
    assert isinstance(model, EnsembleClip)
    for name, buffer in model.named_buffers():
        if name.endswith(("level.others", "level.mean")):
            torch.nn.init.normal_(buffer)
    copy: Any = pickle.loads(pickle.dumps(model))
    pixels, tokens = torch.randn(3, 3, 32, 32), torch.randint(1, 100, (3, 12))
    with torch.inference_mode():
        images, texts = model.encode_image(pixels), model.encode_text(tokens)
        assert torch.equal(copy.encode_image(pixels), images)
        assert torch.equal(copy.encode_text(tokens), texts)
    assert images.shape == texts.shape == (3, dim)


def test_member_weights_sum_to_one() -> None:
    members = [{"share": 1}, {"share": 3}]
    weights = [weight for _, weight in ensemble_members(ARCH | {"members": members})]
    assert weights == [0.25, 0.75]
