"""Convolutional image towers compiled for the CPU by OpenVINO, several times as fast as PyTorch.

OpenVINO plans the whole network: memory layouts, fused activations and additions, and matrix
instructions in bfloat16 where the CPU has them. Measured in `benchmarks/encoder.py`, see
docs/benchmarks.md. Recording a network takes PyTorch seconds; the result is kept in
`TERRASEEK_HOME`, and later processes read it in a fraction of a second.
"""

import copy
import hashlib
import importlib
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import nn

from terraseek.files import atomic_path, home
from terraseek.version import __version__

if TYPE_CHECKING:  # types are not checked in tests: networks have inputs of their own shapes
    from jaxtyping import Float, UInt8
    from torch import Tensor

__all__ = ["CompiledLater", "CompiledNetwork", "PixelNetwork", "compile_for_cpu", "kept_file"]

_RECORDING_S, _READING_S = 4.0, 0.4
"""Seconds that compiling takes about: with recording, and from the kept file."""
_TOLERANCE = {"f32": 1e-5, "bf16": 5e-2}
"""Largest difference per element of unit vectors from those of the network itself."""


class PixelNetwork(nn.Module):
    """A network that reads RGB squares as they are decoded, and normalises them itself.

    Compiled, the normalisation is part of the plan; before the network, it costs a sixth of the
    time of a small one.
    """

    def __init__(
        self,
        network: "Callable[[Tensor], Tensor]",
        mean: "Float[Tensor, '1 3 1 1']",
        std: "Float[Tensor, '1 3 1 1']",
    ) -> None:
        """Put the normalisation before a network; `mean` and `std` are of values from 0 to 255."""
        super().__init__()
        self.network = network
        self.mean, self.std = mean, std

    def forward(self, pixels: "UInt8[Tensor, 'n side side 3']") -> "Float[Tensor, 'n ...']":
        """Compute the network's output of RGB squares."""
        # [n, h, w, 3] seen as [n, 3, h, w] is channels_last already: no copy but the conversion
        return self.network(pixels.permute(0, 3, 1, 2).float().sub(self.mean).div(self.std))


class CompiledLater:
    """A network that is compiled once it has run for about as long as compiling takes."""

    def __init__(self, network: PixelNetwork, side: int, keep: Path, *, bfloat16: bool) -> None:
        """Run `network` as it is at first; the other arguments are those of `compile_for_cpu`."""
        self.network, self.side, self.keep, self.bfloat16 = network, side, keep, bfloat16
        self.compiled: CompiledNetwork | None = None
        self._left_s = _READING_S if keep.is_file() else _RECORDING_S

    def __call__(self, pixels: "UInt8[Tensor, 'n side side 3']") -> "Float[Tensor, 'n ...']":
        """Compute the output of RGB squares."""
        if self.compiled is not None:
            return self.compiled(pixels)
        started = time.perf_counter()
        out: Tensor = self.network(pixels)
        if self._left_s > 0:
            self._left_s -= time.perf_counter() - started
            if self._left_s <= 0:
                self.compiled = compile_for_cpu(
                    self.network, self.side, bfloat16=self.bfloat16, keep=self.keep
                )
        return out


class CompiledNetwork:
    """A compiled network; calls take turns."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - openvino may not be installed
        """Use an `openvino.CompiledModel` with one input and one output."""
        self._request = model.create_infer_request()

    def __call__(self, pixels: "UInt8[Tensor, 'n side side 3']") -> "Float[Tensor, 'n ...']":
        """Compute the output of RGB squares."""
        # the array belongs to the request and is overwritten by the next call
        output = self._request.infer({0: pixels.contiguous().numpy()})[0].copy()
        return torch.from_numpy(output)


def kept_file(network: str, key: str, side: int, *, bfloat16: bool) -> Path:
    """Where the recorded network is kept; of another version of the software it is another file.

    Args:
        network: name of the model and of its part, without path separators.
        key: encoder id: weights and preprocessing.
        side: of the input squares in pixels.
        bfloat16: whether it computes in bfloat16.
    """
    versions = f"{__version__} {torch.__version__} {_version()}"
    digest = hashlib.sha256(f"{key} {side} {bfloat16} uint8 {versions}".encode()).hexdigest()
    return home() / "compiled" / f"{network}-{digest[:16]}.blob"


def compile_for_cpu(
    network: PixelNetwork,
    side: int,
    *,
    bfloat16: bool = False,
    keep: Path | None = None,
) -> CompiledNetwork | None:
    """Compile a network of any number of square images for this CPU.

    Args:
        network: in evaluation mode, on the CPU.
        side: of its input squares in pixels.
        bfloat16: whether to compute in bfloat16 where the CPU has it.
        keep: file from which the recorded network is read, or to which it is written.

    Returns:
        The compiled network, or None if OpenVINO is not installed, cannot read the network, or if
        the copy would not give the same vectors within 1e-5 (5e-2 in bfloat16).
    """
    try:
        core = _openvino().Core()
    except ImportError:
        return None
    precision = "bf16" if bfloat16 else "f32"
    options = {
        "INFERENCE_PRECISION_HINT": precision,  # by itself it computes in bfloat16 where it can
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "ENABLE_CPU_PINNING": False,  # other threads of this process need the cores, too
    }
    if keep is not None and keep.is_file():
        with suppress(RuntimeError, OSError):  # damaged: it is recorded again
            kept = CompiledNetwork(core.import_model(keep.read_bytes(), "CPU", options))
            if _agree(network, kept, side, _TOLERANCE[precision]):
                return kept
    # what PyTorch raises for a network it cannot record; a slow tower is still correct
    with suppress(AttributeError, RuntimeError, TypeError, ValueError):
        model = core.compile_model(_recorded(network, side), "CPU", options)
        compiled = CompiledNetwork(model)
        if _agree(network, compiled, side, _TOLERANCE[precision]):
            _write(model, keep)
            return compiled
    return None


def _recorded(network: PixelNetwork, side: int) -> Any:  # noqa: ANN401
    """Record a network as an `openvino.Model` of any number of images."""
    openvino = _openvino()
    decoder = importlib.import_module("openvino.frontend.pytorch.ts_decoder")
    plain: Any = copy.deepcopy(network)
    plain.to(memory_format=torch.contiguous_format)
    torchscript: Any = torch.jit
    with warnings.catch_warnings(), torch.no_grad(), torch.autocast("cpu", enabled=False):
        # TorchScript is deprecated, but its successor takes four times as long
        warnings.simplefilter("ignore")
        squares = torch.zeros((2, side, side, 3), dtype=torch.uint8)
        recorded = torchscript.trace(plain, squares, check_trace=False)
        frontend = openvino.frontend.FrontEndManager().load_by_framework("pytorch")
        script = decoder.TorchScriptPythonDecoder(torchscript.freeze(recorded.eval()))
        model = frontend.convert(frontend.load(script))
    model.get_parameters()[0].set_element_type(openvino.Type.u8)  # recording loses it
    model.reshape({0: openvino.PartialShape([-1, side, side, 3])})
    return model


def _write(model: Any, keep: Path | None) -> None:  # noqa: ANN401
    """Keep a compiled network, instead of those of other versions of it."""
    if keep is None:
        return
    with suppress(OSError):  # a folder that is full or read-only: it is recorded again next time
        with atomic_path(keep) as path:
            path.write_bytes(model.export_model().getvalue())
        prefix = keep.name.rpartition("-")[0]
        for other in keep.parent.glob(f"{prefix}-*.blob"):
            if other != keep and other.name.rpartition("-")[0] == prefix:
                other.unlink()


def _agree(network: PixelNetwork, compiled: CompiledNetwork, side: int, tolerance: float) -> bool:
    seeded = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (2, side, side, 3), generator=seeded, dtype=torch.uint8)
    with torch.inference_mode():
        expected, found = (F.normalize(run(noise), dim=-1) for run in (network, compiled))
    same = expected.shape == found.shape
    return same and float((expected - found).abs().max()) < tolerance


def _openvino() -> Any:  # noqa: ANN401 - it may not be installed
    """Import OpenVINO without its reports of use, which it sends to a server when it is imported.

    It does without the package that sends them where that cannot be imported.

    Raises:
        ImportError: OpenVINO is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


def _version() -> str:
    try:
        return version("openvino")
    except PackageNotFoundError:
        return ""
