"""Our training loop and open_clip's: `python benchmarks/training.py --steps 20 --batch 64`.

Both train the same architecture from scratch on the same JPEGs with the same batch size, AdamW and
number of threads, each in its own process, alternating: open_clip as `open_clip_train.main` (CSV
data set), ours once with images decoded when they are drawn, as open_clip does (`stream`), and once
with images decoded into memory beforehand, as our recipes do. Times are those between steps, with
waiting for data, without the first three steps.
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
from pipeline import generate_images

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
WARMUP_STEPS = 3
"""Steps that are not counted."""

OPEN_CLIP_SCRIPT = """
import json, resource, sys
import open_clip, torch
from open_clip_train.main import main
torch.set_num_threads(int(sys.argv[2]))
open_clip.add_model_config(sys.argv[1])
main(sys.argv[3:])
kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
print(json.dumps({"gib": [resource.getrusage(kind).ru_maxrss / 2**20 for kind in kinds]}))
"""
TERRASEEK_SCRIPT = """
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
CAPTIONS = (
    "many buildings and some green trees are in a dense residential area near a road",
    "a river runs through green farmland",
    "several planes are parked beside the terminal of an airport",
    "a playground is surrounded by trees and buildings",
)


def prepare(folder: Path, count: int) -> None:
    """Write the same images and captions in both layouts."""
    (folder / "images").mkdir()
    entries, lines = [], ["filepath,title"]
    for row, content in enumerate(generate_images(count, 224, "JPEG")):
        path = folder / "images" / f"{row:06}.jpg"
        path.write_bytes(content)
        caption = f"{CAPTIONS[row % len(CAPTIONS)]} number {row}"
        entries.append({"filename": path.name, "sentences": [{"raw": caption}]})
        lines.append(f"{path},{caption}")
    (folder / "train.csv").write_text("\n".join(lines))
    (folder / "captions.json").write_text(json.dumps({"images": entries}))
    (folder / "benchmark-model.json").write_text(json.dumps(ARCH))


def json_output(command: list[str]) -> dict[str, Any]:
    """Run a process and return the JSON object on the last line of its output."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} ... failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def run_open_clip(folder: Path, batch: int, threads: int, bf16: bool) -> dict[str, Any]:
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
    found = json_output([sys.executable, "-c", OPEN_CLIP_SCRIPT, str(model), str(threads), *words])
    log = (Path(logs) / "run" / "out.log").read_text()
    found["seconds"] = [float(s) for s in re.findall(r"Batch \(t\): ([\d.]+)", log)]
    return found


def run_terraseek(
    folder: Path, batch: int, steps: int, threads: int, bf16: bool, stream: bool
) -> dict[str, Any]:
    """Seconds per step and memory of our loop, with the contrastive loss only, as in open_clip."""
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
    return json_output([sys.executable, "-c", TERRASEEK_SCRIPT, str(path)])


def main(
    steps: int = typer.Option(20),
    batch: int = typer.Option(64),
    threads: int = typer.Option(2, help="Torch threads, and data loading workers."),
    repeats: int = typer.Option(1, help="Repeats of all three."),
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
                    found = run_open_clip(folder, batch, threads, bf16)
                else:
                    found = run_terraseek(folder, batch, steps, threads, bf16, kind == "stream")
                # our times begin at the end of the first step
                seconds[kind] += found["seconds"][WARMUP_STEPS - (kind != "open_clip") :]
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
