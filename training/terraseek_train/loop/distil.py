"""A finished encoder that says what a batch's images and sentences have to do with each other.

Distillation of similarities: the encoder that learns is asked for the same softmax over a batch,
see `losses.taught_targets`. Joined encoders, or one far larger, know more than what is trained.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from terraseek.encoders.nets.checkpoints import fit_state, read_state, towers_of
from terraseek.errors import ConfigError
from terraseek_train.config import TrainConfig
from terraseek_train.loop.model import Trainee
from terraseek_train.loop.objective import Ready
from terraseek_train.loop.parallel import Team
from terraseek_train.loop.start import initial_config, initial_weights

__all__ = ["finished", "scores_of"]


def finished(config: TrainConfig, device: torch.device) -> Trainee | None:
    """The encoder that `distil` names, as it is and stays; None without one.

    Raises:
        ConfigError: `distil` is neither a run's folder nor a registered model, or it has other
            pixel statistics or another text length than the config has.
        ModelError: its weights are absent, damaged or of another architecture.
    """
    if not config.distil:
        return None
    path = initial_weights(config.distil)
    own = initial_config(config.distil, path.parent)
    arch = own["arch"]
    for key in ("means", "stds"):
        if tuple(own[key]) != tuple(here := getattr(config, key)):
            raise ConfigError(f"{key} of distil {config.distil!r} is {own[key]}, here {here}")
    length = config.arch["text_cfg"]["context_length"]
    if arch["text_cfg"]["context_length"] != length:
        raise ConfigError(
            f"distil {config.distil!r} reads sentences of another length than {length}"
        )
    model = Trainee(arch, 1)
    fit_state(model.clip, towers_of(read_state(path)), path)
    model.eval().requires_grad_(False)
    return model.to(device).to(memory_format=torch.channels_last)


@torch.no_grad()
def scores_of(
    model: Trainee, batch: Ready, mean: Tensor, std: Tensor, config: TrainConfig, team: Team
) -> Float[Tensor, "all all"]:
    """Cosines of the whole batch times inverse temperature, images by sentences.

    Args:
        model: from `finished`.
        batch: this process's part.
        mean: of pixels, on the scale 0 to 255.
        std: likewise.
        config: chunk and precision.
        team: whose parts make the batch.
    """
    count = len(batch.pixels)
    step = config.chunk or count
    with torch.autocast(batch.pixels.device.type, torch.bfloat16, enabled=config.bf16):
        images = [model.squares(part, mean, std) for part in torch.split(batch.pixels, step)]
        texts = [model.texts(part) for part in torch.split(batch.tokens[:count], step)]
    image, text = (team.gather(F.normalize(torch.cat(part), dim=-1)) for part in (images, texts))
    return model.scale() * image @ text.T
