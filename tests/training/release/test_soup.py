"""Model soups: the mean by hand, and what is refused."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek_train.release.soup import average, main


def checkpoint(folder: Path, value: float, key: str = "clip.w") -> Path:
    folder.mkdir()
    save_file(
        {key: torch.full((2,), value), "classes.bias": torch.ones(1)}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(f'{{"value": {value}}}')
    return folder


def test_a_soup_is_the_weighted_mean_of_the_towers(tmp_path: Path) -> None:
    one, two = checkpoint(tmp_path / "a=b", 1.0), checkpoint(tmp_path / "c", 4.0)
    main(tmp_path / "mix", [f"{one}=1", f"{two}=2"])
    mixed = load_file(tmp_path / "mix" / "model.safetensors")
    assert list(mixed) == ["clip.w"]
    assert mixed["clip.w"].tolist() == pytest.approx([3.0, 3.0])
    assert (tmp_path / "mix" / "config.json").read_text() == '{"value": 4.0}'


def test_checkpoints_that_cannot_be_averaged_are_refused(tmp_path: Path) -> None:
    one, two = checkpoint(tmp_path / "a", 1.0), checkpoint(tmp_path / "b", 4.0, "clip.other")
    with pytest.raises(WeightsLayoutError, match="holds other tensors"):
        average({one: 1.0, two: 1.0})
    with pytest.raises(ConfigError, match="must be positive"):
        average({one: 0.0})
    with pytest.raises(ConfigError, match="at least one"):
        average({})
