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
from terraseek.encoders.nets.build import build_model
from terraseek.files import read_json
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.data.batch import make_batch
from terraseek_train.data.corpus import Corpus
from terraseek_train.data.text_table import tokenize
from terraseek_train.loop.device_batch import DeviceBatch, to_device
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.methods.ebaker import combined_scores, local_scores
from terraseek_train.methods.tokens import image_tokens, text_tokens
from terraseek_train.objectives.build import build_training_model
from terraseek_train.peft import Kind

PLAIN = "contrastive"
TARGETS = {"lora": 1.15, "pfeiffer": 1.15, "ebaker": 1.6}
LENGTHS = [8, 8, 9, 9, 10, 11, 11, 12, 13, 14, 15, 17, 21]
WORDS = "many green trees buildings are around a large playground near the river bridge".split()  # noqa: SIM905


def arms() -> dict[str, dict[str, Any]]:
    """Settings of each method by name: plain training first, then all as published."""
    kinds: tuple[Kind, ...] = ("lora", "pfeiffer", "prefix", "unipelt")
    parts = {"local": ["ker", "eba"], "ker": ["local", "eba"], "eba": ["local", "ker"]}
    single = {
        f"ebaker_{name}": {"method": "ebaker", "options": {"ablate": out, "first_epoch": 0}}
        for name, out in parts.items()
    }
    return {
        PLAIN: {"method": "georsclip"},
        **{kind: {"method": "georsclip", "tune": kind} for kind in kinds},
        **single,
        "ebaker": {"method": "ebaker", "options": {"first_epoch": 0}},
        "affiliation": {"method": "priorclip", "options": {"belief": "none"}},
    }


def make_recipe(arch: str, batch: int, device: str, **method: Any) -> TrainConfig:  # noqa: ANN401
    """Recipe of an untrained model, from an open_clip name or a JSON config."""
    config: Any = read_json(Path(arch)) if arch.endswith(".json") else model_config(arch)
    config["text_cfg"].setdefault("context_length", 77)
    side = int(config["vision_cfg"]["image_size"])
    return TrainConfig(
        out="unused",
        data=(DataSource("noise", "unused", area=(0.5, 1.0)),),
        arch=config,
        sizes=((0.0, side),),
        stored_size=side,
        batch=batch,
        device=device,
        bf16=False,
        template_share=0.0,
        **method,
    )


def make_corpus(recipe: TrainConfig) -> Corpus:
    """Noise images with captions of the lengths in RSICD: 8 to 21 words, 11.6 on average."""
    rng = np.random.default_rng(0)
    side, count = recipe.stored_size, recipe.batch
    texts = [" ".join(rng.choice(WORDS, words)) for words in rng.choice(LENGTHS, count)]
    rows = np.arange(count)
    return Corpus(
        images=[rng.integers(0, 255, (count, side, side, 3), dtype=np.uint8)],
        source=np.zeros(count, np.int16),
        row=rows.astype(np.int32),
        place=rows.astype(np.int64),
        concept=np.full(count, -1, np.int16),
        label=(rows % 30).astype(np.int16),
        captions=[np.array([row], np.int32) for row in rows],
        templates={},
        class_source=np.zeros(30, np.int16),
        tokens=tokenize(texts, recipe.arch).astype(np.int32),
        text_concept=np.full(count, -1, np.int16),
        sentence_vectors=None,
        unpaired_texts=np.empty(0, np.int32),
        weights=(1.0,),
        texts=texts,
    )


def make_device_batch(recipe: TrainConfig, corpus: Corpus, device: str) -> DeviceBatch:
    """Take the whole corpus as one batch."""
    made = make_batch(corpus, np.arange(recipe.batch), recipe, 0)
    return to_device(made, recipe, ProcessGroup(), torch.device(device))


class MethodSteps:
    """Training steps of one method on one batch."""

    def __init__(self, recipe: TrainConfig) -> None:
        device = recipe.device
        corpus = make_corpus(recipe)
        torch.manual_seed(0)
        self.model = build_training_model(recipe, corpus).to(device).train()
        self.model.start_batch(1)
        chosen = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(chosen, lr=1e-5, fused=True)
        self.parameters = sum(p.numel() for p in chosen)
        self.batch, self.device = make_device_batch(recipe, corpus, device), device
        self.mean = torch.full((1, 3, 1, 1), 127.5, device=device)
        self.std = torch.full((1, 3, 1, 1), 63.75, device=device)

    def step(self) -> float:
        """Seconds of one forward, backward and update."""
        began = time.perf_counter()
        image = self.model.encode_pixels(self.batch.pixels, self.mean, self.std)
        group = ProcessGroup()
        text = self.model.encode_texts(self.model.text_inputs(self.batch, group))
        loss, _ = self.model.loss(self.batch, image, text, group)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has none here
        self.optimizer.step()
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - began


def measure_steps(
    arch: str, batch: int, rounds: int, device: str, methods: set[str]
) -> dict[str, float | int | str]:
    """Step time of every method relative to plain training, median over rounds.

    Each round takes one step of the method and one of plain training.
    """
    plain = MethodSteps(make_recipe(arch, batch, device, **arms()[PLAIN]))
    plain.step()
    figures: dict[str, float | int | str] = {"batch": batch, "rounds": rounds, "device": device}
    for name, method in arms().items():
        if name == PLAIN or (methods and name not in methods):
            continue
        other = MethodSteps(make_recipe(arch, batch, device, **method))
        before = peak_memory_gib(device)
        other.step()
        ratios = []
        for _ in range(rounds):
            seconds = other.step()
            ratios.append(seconds / plain.step())
        figures[f"{name}_step_ratio"] = float(np.median(ratios))
        figures[f"{name}_trained"] = other.parameters
        figures[f"{name}_memory_gib"] = peak_memory_gib(device) - before
        del other
        gc.collect()
    figures["contrastive_step_s"] = float(np.median([plain.step() for _ in range(rounds)]))
    for name, limit in TARGETS.items():
        figures[f"{name}_target"] = limit
    return figures


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
def measure_encoding(recipe: TrainConfig, images: int, captions: int) -> dict[str, float]:
    """Seconds to encode images and captions with tokens, extrapolated from one batch."""
    device, batch = recipe.device, recipe.batch
    model = build_model(recipe.arch).to(device).eval()
    sample = make_device_batch(recipe, make_corpus(recipe), device)
    pixels = (sample.pixels.permute(0, 3, 1, 2) - 127.5) / 63.75
    image_s = best(lambda: image_tokens(model, pixels), device, 3) / batch
    text_s = best(lambda: text_tokens(model, sample.tokens), device, 3) / batch
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
    known = ",".join(name for name in arms() if name != PLAIN)
    parser.add_argument("--methods", default="", help=f"some of {known}; all by default")
    parser.add_argument("--only", choices=("steps", "scoring"))
    given = parser.parse_args()
    figures: dict[str, float | int | str] = {"arch": given.arch}
    sizes = (given.images, given.captions)
    if given.only != "scoring":
        chosen = set(filter(None, given.methods.split(",")))
        figures |= measure_steps(given.arch, given.batch, given.rounds, given.device, chosen)
    if given.only != "steps":
        recipe = make_recipe(given.arch, given.batch, given.device)
        encoding = measure_encoding(recipe, *sizes)
        scoring = measure_scoring(*sizes, int(recipe.arch["embed_dim"]), given.device)
        encode_s = encoding["encode_s_scaled"]
        # like EBAKER's table of inference seconds, this includes encoding
        ratio = (encode_s + scoring["combined_score_s"]) / (encode_s + scoring["global_score_s"])
        figures |= encoding | scoring | {"inference_ratio": ratio}
    figures["peak_rss_gib"] = peak_rss_gib()
    report("methods of the papers", figures, given.json)


if __name__ == "__main__":
    main()
