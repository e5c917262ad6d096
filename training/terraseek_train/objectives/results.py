"""What a run leaves: a plain CLIP, or an adapter for the model it started from."""

from pathlib import Path
from typing import Any

from terraseek.encoders.cards import Preprocess
from terraseek.files import write_json
from terraseek_train.config import TrainConfig
from terraseek_train.loop.model import ClipModel, save_weights, weights_of
from terraseek_train.methods.prior.store import save_guided
from terraseek_train.objectives.prior import PriorModel
from terraseek_train.peft import save

__all__ = ["save_best"]


def save_best(out: Path, average: ClipModel, config: TrainConfig, record: dict[str, Any]) -> None:
    """Write the best weights so far, `config.json` and `metrics.json`.

    The weights are `model.safetensors` where the towers are still those of `arch`. Tuning that adds
    modules, and a guided image tower, give the folder `adapter` for the initial weights instead.
    Temporal-PAE fits neither: its weights are kept in `model.safetensors`, which no encoder reads.
    """
    guided = average if isinstance(average, PriorModel) and average.guide is not None else None
    temporal = isinstance(average, PriorModel) and average.options.temporal
    if temporal or not (guided or config.tuning().adds_modules):
        save_weights(weights_of(average), out / "model.safetensors")
    elif guided is not None and guided.guide is not None:
        prepare = Preprocess(
            int(config.arch["vision_cfg"]["image_size"]), config.means, config.stds
        )
        classifier = guided.classifier.value
        save_guided(guided.clip, guided.tower, guided.guide, classifier, prepare, out / "adapter")
    else:
        save(average.clip, out / "adapter")
    write_json(out / "config.json", config.to_json())
    write_json(out / "metrics.json", record)
