"""Two processes that split a batch compute the gradients of one process with the whole batch."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from terraseek.errors import ConfigError
from terraseek_train.loop.losses import contrastive_loss, soft_targets
from terraseek_train.loop.parallel import (
    ProcessGroup,
    init_distributed,
    local_cuda_index,
    local_device,
)

SCRIPT = """
import sys
import torch
import torch.nn.functional as F
from terraseek_train.loop.gradients import backward
from terraseek_train.loop.losses import contrastive_loss, soft_targets
from terraseek_train.loop.parallel import init_distributed

torch.set_num_threads(1)
group = init_distributed()
state = torch.load(sys.argv[1], weights_only=True)
weight, scale = (state[k].requires_grad_() for k in ("weight", "scale"))
half = slice(group.rank * 3, group.rank * 3 + 3)
none = torch.zeros(6, 6, dtype=torch.bool)
targets = soft_targets(torch.eye(6, dtype=torch.bool), none, None, 0.1)

def tower(rows):
    return F.normalize(rows @ weight, dim=-1)

def whole(image, text):
    image, text = group.gather(image), group.gather(text)
    value = contrastive_loss(image, text, group.scale_grad(scale), targets, none)
    return value, value

inputs = ((tower, state["image"][half]), (tower, state["text"][half]))
loss = backward(inputs, whole, int(sys.argv[3]), torch.nn.Identity())
table = torch.zeros(7, 2, requires_grad=True)
table.grad = torch.zeros(7, 2)
table.grad[[1, 4 + 2 * group.rank]] = group.rank + 1.0
group.sum_gradients([weight, table, scale], {table: torch.tensor([1, 4, 6])})
torch.distributed.barrier()
if group.rank == 0:
    found = {"weight": weight.grad, "scale": scale.grad, "table": table.grad, "loss": loss.detach()}
    torch.save(found, sys.argv[2])
"""


def test_one_process_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group = init_distributed()
    assert group == ProcessGroup(0, 1)
    value = torch.ones(2, 3)
    assert group.gather(value) is value
    scale = torch.tensor(3.0)
    assert group.scale_grad(scale) is scale


def test_scale_grad_keeps_the_value_and_divides_the_gradient() -> None:
    value = torch.tensor(14.0, requires_grad=True)
    scaled = ProcessGroup(0, 4).scale_grad(value)
    scaled.backward()
    assert float(scaled.detach()) == 14
    assert float(value.grad) == 0.25


def test_a_batch_that_cannot_be_split_evenly_is_refused() -> None:
    ProcessGroup(0, 3).check_batch_size(9)
    with pytest.raises(ConfigError, match="batch 8 cannot be split evenly over 3 processes"):
        ProcessGroup(0, 3).check_batch_size(8)


def test_each_process_gets_its_own_cuda_device() -> None:
    assert local_device("cpu") == torch.device("cpu")
    assert local_cuda_index(1, 2) == 1
    with pytest.raises(ConfigError, match="process 2 has no CUDA device of its own, there are 2"):
        local_cuda_index(2, 2)
    with pytest.raises(ConfigError, match="device 'tpu' is unknown"):
        local_device("tpu")


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [0, 2])
def test_two_processes_sum_to_the_gradients_of_one(tmp_path: Path, chunk: int) -> None:
    made = torch.Generator().manual_seed(0)
    state = {
        "image": torch.randn(6, 5, generator=made),
        "text": torch.randn(6, 5, generator=made),
        "weight": torch.randn(5, 4, generator=made),
        "scale": torch.tensor(12.0),
    }
    torch.save(state, tmp_path / "in.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    files = [str(tmp_path / "in.pt"), str(tmp_path / "out.pt")]
    command = [sys.executable, "-c", SCRIPT, *files, str(chunk)]
    started = [
        subprocess.Popen(command, env={**os.environ, **variables, "RANK": str(rank)})
        for rank in range(2)
    ]
    assert [process.wait(timeout=300) for process in started] == [0, 0]
    found = torch.load(tmp_path / "out.pt", weights_only=True)

    weight, scale = state["weight"].requires_grad_(), state["scale"].requires_grad_()
    image = F.normalize(state["image"] @ weight, dim=-1)
    text = F.normalize(state["text"] @ weight, dim=-1)
    none = torch.zeros(6, 6, dtype=torch.bool)
    targets = soft_targets(torch.eye(6, dtype=torch.bool), none, None, 0.1)
    loss = contrastive_loss(image, text, scale, targets, none)
    loss.backward()
    torch.testing.assert_close(found["loss"], loss.detach())
    torch.testing.assert_close(found["weight"], weight.grad)
    torch.testing.assert_close(found["scale"], scale.grad)
    rows = torch.tensor([0.0, 3, 0, 0, 1, 0, 2])
    torch.testing.assert_close(found["table"], rows[:, None].expand(7, 2))
