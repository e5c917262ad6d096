"""Distillation: scores of a trained encoder become part of the contrastive targets.

The trained network learns the teacher's softmax over a batch, see `losses.distillation_targets`.
An ensemble, or a far larger encoder, knows more than the network that is trained.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from terraseek.encoders.nets.checkpoints import clip_state, fit_state, read_state
from terraseek.errors import ConfigError
from terraseek_train.config import TrainConfig
from terraseek_train.loop.device_batch import DeviceBatch
from terraseek_train.loop.model import ClipWithHeads
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.loop.start import initial_config, initial_weights

__all__ = ["load_teacher", "teacher_scores"]


def load_teacher(config: TrainConfig, device: torch.device) -> ClipWithHeads | None:
    """Load the encoder that `distil` names, without gradients; None if it names none.

    Raises:
        ConfigError: `distil` is neither a run's folder nor a registered model, or its pixel
            statistics or text length differ from the config's.
        ModelError: its weights are absent, damaged or of another architecture.
    """
    if not config.distil:
        return None
    path = initial_weights(config.distil)
    stored = initial_config(config.distil, path.parent)
    arch = stored["arch"]
    for key in ("means", "stds"):
        if tuple(stored[key]) != tuple(here := getattr(config, key)):
            raise ConfigError(f"{key} of distil {config.distil!r} is {stored[key]}, here {here}")
    length = config.arch["text_cfg"]["context_length"]
    if arch["text_cfg"]["context_length"] != length:
        raise ConfigError(
            f"distil {config.distil!r} reads sentences of another length than {length}"
        )
    model = ClipWithHeads(arch, 1)
    fit_state(model.clip, clip_state(read_state(path)), path)
    model.eval().requires_grad_(False)
    return model.to(device).to(memory_format=torch.channels_last)


@torch.no_grad()
def teacher_scores(
    teacher: ClipWithHeads,
    batch: DeviceBatch,
    mean: Tensor,
    std: Tensor,
    config: TrainConfig,
    group: ProcessGroup,
) -> Float[Tensor, "all all"]:
    """Score the whole batch: cosines times inverse temperature, images by sentences.

    Args:
        teacher: from `load_teacher`.
        batch: the local rows.
        mean: of the pixels, on the scale 0 to 255.
        std: likewise.
        config: chunk size and precision.
        group: the processes that share the batch.
    """
    count = len(batch.pixels)
    step = config.chunk or count
    with torch.autocast(batch.pixels.device.type, torch.bfloat16, enabled=config.bf16):
        images = [
            teacher.encode_pixels(part, mean, std) for part in torch.split(batch.pixels, step)
        ]
        texts = [teacher.encode_texts(part) for part in torch.split(batch.tokens[:count], step)]
    image, text = (group.gather(F.normalize(torch.cat(part), dim=-1)) for part in (images, texts))
    return teacher.scale() * image @ text.T
