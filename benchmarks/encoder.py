"""Images per second through an image tower on all cores: `python benchmarks/encoder.py [--json]`.

`images_per_s`     random images, with the tower compiled for this CPU (`encoders.nets.compiled`)
`as_loaded_per_s`  with the tower as loaded by PyTorch, alternating with the others
`gain`             the first over the second
`bfloat16_per_s`   compiled in bfloat16, if the CPU supports it
`compiling_s`      seconds that recording and compiling take
`reading_s`        seconds from the kept file
"""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import typer
from common import report, timed

from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.checkpoints import load_weights
from terraseek.encoders.nets.compiled import CompiledNetwork, PixelNetwork, compile_for_cpu
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.open_clip_encoder import supports_bfloat16
from terraseek.encoders.registry import get_card
from terraseek.encoders.weight_files import verify


def main(
    model: str = "terraseek-tiny",
    items: int = 512,
    batch: int = 64,
    repeats: int = 5,
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Measure and print."""
    card = get_card(model)
    side = card.preprocess.size
    network: Any = build_model(card.architecture)
    load_weights(network, verify(card).path)
    folded = fold_batch_norms(network.visual.to(memory_format=torch.channels_last), side)
    scale = (
        torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (card.preprocess.mean, card.preprocess.std)
    )
    plain = PixelNetwork(folded, *scale)
    with tempfile.TemporaryDirectory() as folder:
        keep = Path(folder) / "tower-0.blob"
        compiled, compiling_s = _timed_compile(plain, side, keep)
        _, reading_s = _timed_compile(plain, side, keep)
    towers: dict[str, Any] = {"images_per_s": compiled, "as_loaded_per_s": plain}
    if supports_bfloat16(torch.device("cpu")):
        towers["bfloat16_per_s"] = compile_for_cpu(plain, side, bfloat16=True)
    pixels = torch.randint(256, (items, side, side, 3), dtype=torch.uint8)
    rates = alternating_rates(towers, list(torch.split(pixels, batch)), repeats)
    facts: dict[str, float | int | str] = {"model": model, "threads": torch.get_num_threads()}
    gain = rates["images_per_s"] / rates["as_loaded_per_s"]
    seconds = {"compiling_s": compiling_s, "reading_s": reading_s}
    report("encoder", facts | rates | {"gain": gain} | seconds, as_json)


def _timed_compile(tower: PixelNetwork, side: int, keep: Path) -> tuple[CompiledNetwork, float]:
    started = time.perf_counter()
    compiled = compile_for_cpu(tower, side, keep=keep)
    if compiled is None:
        raise typer.BadParameter("the image tower cannot be compiled")
    return compiled, time.perf_counter() - started


def alternating_rates(
    towers: Mapping[str, Any], batches: Sequence[torch.Tensor], repeats: int
) -> dict[str, float]:
    """Median images per second of each tower; the first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in towers}
    with torch.inference_mode():
        for repeat in range(repeats + 1):
            for name, tower in towers.items():
                spent = timed(lambda tower=tower: list(map(tower, batches)), 1, 0).best  # type: ignore[misc]
                seconds[name] += [spent] if repeat else []
    count = sum(map(len, batches))
    return {name: count / statistics.median(all_of) for name, all_of in seconds.items()}


if __name__ == "__main__":
    typer.run(main)
