"""Cost of the papers' methods: `python benchmarks/methods.py [--json] [--arch ViT-B-32] [...]`.

Step time of each method relative to plain contrastive training of the same model in the same run,
and its memory; then retrieval scoring with local similarity for 1,093 x 5,465 pairs compared with
global scoring. Steps of all methods alternate, so that other load slows all of them equally.
"""

import argparse
import gc
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from common import peak_rss_gib, report
from torch import Tensor

from terraseek.encoders.architecture import model_config
from terraseek.encoders.cards import Preprocess
from terraseek.encoders.nets.build import build_model
from terraseek.files import read_json
from terraseek_train.methods.ebaker import combined_scores, local_scores
from terraseek_train.methods.tokens import image_tokens, text_tokens
from terraseek_train.peft import Kind, PeftConfig
from terraseek_train.study.arm_run import build_arm_model
from terraseek_train.study.config import Arm
from terraseek_train.study.inputs.base import BaseModel
from terraseek_train.study.inputs.dataset import CaptionedImages, StudyBatch, batches
from terraseek_train.study.models.contrastive import ContrastiveModel

PLAIN = "contrastive"
TARGETS = {"lora": 1.15, "pfeiffer": 1.15, "ebaker": 1.6}
LENGTHS = [8, 8, 9, 9, 10, 11, 11, 12, 13, 14, 15, 17, 21]
WORDS = "many green trees buildings are around a large playground near the river bridge".split()  # noqa: SIM905


def arms() -> list[Arm]:
    """Plain training first, then every method with its published settings."""
    kinds: tuple[Kind, ...] = ("lora", "pfeiffer", "prefix", "unipelt")
    few = [Arm(kind, peft=PeftConfig(kind)) for kind in kinds]
    parts = {"local": ("ker", "eba"), "ker": ("local", "eba"), "eba": ("local", "ker")}
    single = [
        Arm(f"ebaker_{name}", "ebaker", options={"ablate": out, "first_epoch": 0})
        for name, out in parts.items()
    ]
    whole = Arm("ebaker", "ebaker", options={"first_epoch": 0})
    return [Arm(PLAIN), *few, *single, whole, Arm("affiliation", "prior")]


def make_base(arch: str) -> BaseModel:
    """Untrained model from an open_clip name or a JSON config."""
    config: Any = read_json(Path(arch)) if arch.endswith(".json") else model_config(arch)
    torch.manual_seed(0)
    side = int(config["vision_cfg"]["image_size"])
    how = Preprocess(side, (0.5,) * 3, (0.25,) * 3)
    context = int(config["text_cfg"].get("context_length", 77))
    return BaseModel(arch, build_model(config), how, context, int(config["embed_dim"]), "")


def make_pairs(base: BaseModel, count: int) -> CaptionedImages:
    """Noise images with captions of the lengths in RSICD: 8 to 21 words, 11.6 on average."""
    from terraseek_train.data.text_table import tokenize

    rng = np.random.default_rng(0)
    side = base.preprocess.size
    texts = tuple(" ".join(rng.choice(WORDS, words)) for words in rng.choice(LENGTHS, count))
    squares = rng.integers(0, 255, (count, side, side, 3), dtype=np.uint8)
    tokens = tokenize(texts, base.context).astype(np.int32)
    return CaptionedImages(squares, texts, tokens, np.arange(count), np.arange(count) % 30)


class MethodSteps:
    """Training steps of one method on one batch."""

    def __init__(
        self, base: BaseModel, arm: Arm, pairs: CaptionedImages, batch: StudyBatch, device: str
    ) -> None:
        self.model: ContrastiveModel = build_arm_model(base, arm, pairs, 0).to(device).train()
        self.model.start_epoch(1)
        chosen = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(chosen, lr=1e-5, fused=True)
        self.parameters = sum(p.numel() for p in chosen)
        self.batch, self.device = batch, device
        self.seconds: list[float] = []

    def step(self) -> float:
        """Seconds of one forward, backward and update."""
        began = time.perf_counter()
        loss = self.model.loss(self.batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has none here
        self.optimizer.step()
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - began


def measure_steps(
    base: BaseModel, batch: int, rounds: int, device: str, methods: set[str]
) -> dict[str, float | int | str]:
    """Step time of every method relative to plain training, median over rounds.

    Each round takes one step of the method and one of plain training.
    """
    pairs = make_pairs(base, batch)
    sample = next(batches(pairs, base.preprocess, (0.5, 1.0), batch, 0, 0))
    sample = on_device(sample, device)
    plain = MethodSteps(base, arms()[0], pairs, sample, device)
    plain.step()
    figures: dict[str, float | int | str] = {"batch": batch, "rounds": rounds, "device": device}
    for arm in arms()[1:]:
        if methods and arm.name not in methods:
            continue
        other = MethodSteps(base, arm, pairs, sample, device)
        before = peak_memory_gib(device)
        other.step()
        ratios = []
        for _ in range(rounds):
            seconds = other.step()
            ratios.append(seconds / plain.step())
        figures[f"{arm.name}_step_ratio"] = float(np.median(ratios))
        figures[f"{arm.name}_trained"] = other.parameters
        figures[f"{arm.name}_memory_gib"] = peak_memory_gib(device) - before
        del other
        gc.collect()
    figures["contrastive_step_s"] = float(np.median([plain.step() for _ in range(rounds)]))
    for name, limit in TARGETS.items():
        figures[f"{name}_target"] = limit
    return figures


def on_device(batch: StudyBatch, device: str) -> StudyBatch:
    """Copy of the batch with its tensors on the device."""
    moved = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in vars(batch).items()}
    return StudyBatch(**moved)


def peak_memory_gib(device: str) -> float:
    """Peak memory in GiB: since the last call on a GPU, of the whole process on a CPU."""
    if device == "cpu":
        return peak_rss_gib()
    peak = torch.cuda.max_memory_allocated() / 2**30
    torch.cuda.reset_peak_memory_stats()
    return peak


def measure_scoring(
    images: int, captions: int, dim: int, device: str, block: int = 1024
) -> dict[str, float | int]:
    """Seconds of global and of combined scoring, and the additional memory of the latter.

    Sizes of EBAKER: 49 patches, 77 words. Features are random, which does not change the cost.
    """
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(device)

    image, text = (F.normalize(random(n, dim), dim=-1) for n in (images, captions))
    patches, words = random(images, 49, dim), random(captions, 77, dim)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    def both() -> Tensor:
        return combined_scores(image @ text.T, local_scores(patches, words, block=block))

    global_s = best(lambda: image @ text.T, device, 3)
    combined_s = best(both, device, 1)
    return {
        "scored_pairs": images * captions,
        "global_score_s": global_s,
        "combined_score_s": combined_s,
        "combined_over_global": combined_s / global_s,
        "tokens_gib": (patches.numel() + words.numel()) * 4 / 2**30,
        "scoring_extra_gib": peak_rss_gib() - before,
    }


@torch.inference_mode()
def measure_encoding(
    base: BaseModel, batch: int, device: str, images: int, captions: int
) -> dict[str, float]:
    """Seconds to encode images and captions with tokens, extrapolated from one batch."""
    model = base.copy_model().to(device).eval()
    sample = next(batches(make_pairs(base, batch), base.preprocess, (0.5, 1.0), batch, 0, 0))
    pixels, tokens = sample.pixels.to(device), sample.tokens.to(device)
    image_s = best(lambda: image_tokens(model, pixels), device, 3) / batch
    text_s = best(lambda: text_tokens(model, tokens), device, 3) / batch
    return {"encode_s_scaled": images * image_s + captions * text_s}


def best(call: Callable[[], object], device: str, repeats: int) -> float:
    """Shortest wall-clock time of a call."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        if device != "cpu":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--arch", default="ViT-B-32", help="open_clip name or JSON model config")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--images", type=int, default=1093)
    parser.add_argument("--captions", type=int, default=5465)
    known = ",".join(arm.name for arm in arms()[1:])
    parser.add_argument("--methods", default="", help=f"some of {known}; all by default")
    parser.add_argument("--only", choices=("steps", "scoring"))
    given = parser.parse_args()
    figures: dict[str, float | int | str] = {"arch": given.arch}
    base = make_base(given.arch)
    sizes = (given.images, given.captions)
    if given.only != "scoring":
        chosen = set(filter(None, given.methods.split(",")))
        figures |= measure_steps(base, given.batch, given.rounds, given.device, chosen)
    if given.only != "steps":
        encoding = measure_encoding(base, given.batch, given.device, *sizes)
        scoring = measure_scoring(*sizes, base.dim, given.device)
        encode_s = encoding["encode_s_scaled"]
        # like EBAKER's table of inference seconds, this includes encoding
        ratio = (encode_s + scoring["combined_score_s"]) / (encode_s + scoring["global_score_s"])
        figures |= encoding | scoring | {"inference_ratio": ratio}
    figures["peak_rss_gib"] = peak_rss_gib()
    report("methods of the papers", figures, given.json)


if __name__ == "__main__":
    main()
