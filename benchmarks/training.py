"""Our training loop beside open_clip's own: `python benchmarks/training.py --steps 20 --batch 64`.

Both train the same architecture from scratch on the same JPEGs with the same batch, AdamW and
number of threads, each in a process of its own and in turns: open_clip as
`open_clip_train.main` (CSV data set), ours once with images decoded whenever they are drawn, as
open_clip does it (`stream`), and once with images decoded into memory before, as our recipes do.
Seconds are those between steps, waiting for data included, without the first three steps.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import typer
from common import report
from pipeline import made

ARCH: dict[str, Any] = {
    "embed_dim": 256,
    "vision_cfg": {
        "timm_model_name": "regnetx_004",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": 128,
    },
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 192, "heads": 3, "layers": 3},
}
WARM = 3
"""Steps that do not count."""

THEIRS = """
import json, resource, sys
import open_clip, torch
from open_clip_train.main import main
torch.set_num_threads(int(sys.argv[2]))
open_clip.add_model_config(sys.argv[1])
main(sys.argv[3:])
kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
print(json.dumps({"gib": [resource.getrusage(kind).ru_maxrss / 2**20 for kind in kinds]}))
"""
OURS = """
import json, resource, sys, time
from pathlib import Path
from terraseek_train.config import load_config
from terraseek_train.train import train
ends = []
note = lambda stage, *_: ends.append(time.time()) if stage == "train" else None
train(load_config(Path(sys.argv[1])), note)
gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps({"seconds": [b - a for a, b in zip(ends, ends[1:])], "gib": [gib, 0]}))
"""
SENTENCES = (
    "many buildings and some green trees are in a dense residential area near a road",
    "a river runs through green farmland",
    "several planes are parked beside the terminal of an airport",
    "a playground is surrounded by trees and buildings",
)


def prepare(folder: Path, count: int) -> None:
    """The same images and sentences in both layouts."""
    (folder / "images").mkdir()
    entries, lines = [], ["filepath,title"]
    for row, content in enumerate(made(count, 224, "JPEG")):
        path = folder / "images" / f"{row:06}.jpg"
        path.write_bytes(content)
        sentence = f"{SENTENCES[row % len(SENTENCES)]} number {row}"
        entries.append({"filename": path.name, "sentences": [{"raw": sentence}]})
        lines.append(f"{path},{sentence}")
    (folder / "train.csv").write_text("\n".join(lines))
    (folder / "captions.json").write_text(json.dumps({"images": entries}))
    (folder / "benchmark-model.json").write_text(json.dumps(ARCH))


def output(command: list[str]) -> dict[str, Any]:
    """The JSON object on the last line of what a process prints."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} ... failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def theirs(folder: Path, batch: int, threads: int, bf16: bool) -> dict[str, Any]:
    """Seconds per step and memory of open_clip's trainer."""
    model, logs = folder / "benchmark-model.json", tempfile.mkdtemp(dir=folder)
    options = {
        "--train-data": folder / "train.csv",
        "--dataset-type": "csv",
        "--csv-separator": ",",
        "--csv-img-key": "filepath",
        "--csv-caption-key": "title",
        "--model": model.stem,
        "--batch-size": batch,
        "--epochs": 1,
        "--workers": threads,
        "--warmup": 10,
        "--lr": 1e-3,
        "--wd": 0.05,
        "--grad-clip-norm": 2.0,
        "--precision": "amp_bfloat16" if bf16 else "fp32",
        "--device": "cpu",
        "--logs": logs,
        "--name": "run",
        "--log-every-n-steps": 1,
        "--save-frequency": 0,
    }
    words = [str(word) for pair in options.items() for word in pair]
    found = output([sys.executable, "-c", THEIRS, str(model), str(threads), *words])
    log = (Path(logs) / "run" / "out.log").read_text()
    found["seconds"] = [float(s) for s in re.findall(r"Batch \(t\): ([\d.]+)", log)]
    return found


def ours(
    folder: Path, batch: int, steps: int, threads: int, bf16: bool, stream: bool
) -> dict[str, Any]:
    """Seconds per step and memory of our loop, contrastive loss only, as open_clip has it."""
    source = {
        "name": "made",
        "images": str(folder / "images"),
        "captions": str(folder / "captions.json"),
        "stream": stream,
    }
    config = {
        "out": tempfile.mkdtemp(dir=folder),
        "cache": str(folder / "cache"),
        "data": [source],
        "arch": ARCH,
        "steps": steps,
        "batch": batch,
        "sizes": [[0, 128]],
        "warmup": 10,
        "class_weight": 0.0,
        "threads": threads,
        "workers": threads,
        "bf16": bf16,
        "eval_every": steps,
        "save_every": steps,
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return output([sys.executable, "-c", OURS, str(path)])


def main(
    steps: int = typer.Option(20),
    batch: int = typer.Option(64),
    threads: int = typer.Option(2, help="Of torch, and workers that load data."),
    repeats: int = typer.Option(1, help="Turns of all three."),
    bf16: bool = typer.Option(False, "--bf16"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Measure and print."""
    seconds: dict[str, list[float]] = {"open_clip": [], "stream": [], "memory": []}
    gib = dict.fromkeys(seconds, 0.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, steps * batch)
        for _ in range(repeats):
            for kind in seconds:
                if kind == "open_clip":
                    found = theirs(folder, batch, threads, bf16)
                else:
                    found = ours(folder, batch, steps, threads, bf16, kind == "stream")
                # our first step ends where its clock starts
                seconds[kind] += found["seconds"][WARM - (kind != "open_clip") :]
                gib[kind] = max(gib[kind], found["gib"][0])
    rate = {kind: batch / float(np.mean(values)) for kind, values in seconds.items()}
    figures: dict[str, float | int | str] = {
        "steps": steps,
        "batch": batch,
        "threads": threads,
        "precision": "bfloat16" if bf16 else "float32",
        "open_clip_images_s": rate["open_clip"],
        "stream_images_s": rate["stream"],
        "memory_images_s": rate["memory"],
        "stream_ratio": rate["stream"] / rate["open_clip"],
        "memory_ratio": rate["memory"] / rate["open_clip"],
        "open_clip_peak_gib": gib["open_clip"],
        "stream_peak_gib": gib["stream"],
        "memory_peak_gib": gib["memory"],
    }
    report("training loop", figures, as_json)


if __name__ == "__main__":
    typer.run(main)
