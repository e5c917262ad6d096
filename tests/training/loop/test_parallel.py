"""Two processes that share a batch have the gradients of one process that has it all."""

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
from terraseek_train.loop.parallel import Team, join, nth_device, own_device

SCRIPT = """
import sys
import torch
import torch.nn.functional as F
from terraseek_train.gradients import backward
from terraseek_train.losses import contrastive_loss, soft_targets
from terraseek_train.parallel import join

torch.set_num_threads(1)
team = join()
state = torch.load(sys.argv[1], weights_only=True)
weight, scale = (state[k].requires_grad_() for k in ("weight", "scale"))
half = slice(team.rank * 3, team.rank * 3 + 3)
none = torch.zeros(6, 6, dtype=torch.bool)
targets = soft_targets(torch.eye(6, dtype=torch.bool), none, None, 0.1)

def tower(rows):
    return F.normalize(rows @ weight, dim=-1)

def whole(image, text):
    image, text = team.gather(image), team.gather(text)
    value = contrastive_loss(image, text, team.share(scale), targets, none)
    return value, value

passes = ((tower, state["image"][half]), (tower, state["text"][half]))
loss = backward(passes, whole, int(sys.argv[3]), torch.nn.Identity())
table = torch.zeros(7, 2, requires_grad=True)
table.grad = torch.zeros(7, 2)
table.grad[[1, 4 + 2 * team.rank]] = team.rank + 1.0
team.sum_gradients([weight, table, scale], {table: torch.tensor([1, 4, 6])})
torch.distributed.barrier()
if team.rank == 0:
    found = {"weight": weight.grad, "scale": scale.grad, "table": table.grad, "loss": loss.detach()}
    torch.save(found, sys.argv[2])
"""


def test_alone_everything_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team = join()
    assert team == Team(0, 1)
    value = torch.ones(2, 3)
    assert team.gather(value) is value
    scale = torch.tensor(3.0)
    assert team.share(scale) is scale


def test_a_shared_parameter_keeps_its_value_and_a_part_of_its_gradient() -> None:
    value = torch.tensor(14.0, requires_grad=True)
    shared = Team(0, 4).share(value)
    shared.backward()
    assert float(shared.detach()) == 14
    assert float(value.grad) == 0.25


def test_a_batch_that_cannot_be_shared_evenly_is_refused() -> None:
    Team(0, 3).check_share(9)
    with pytest.raises(ConfigError, match="batch 8 cannot be shared by 3 processes"):
        Team(0, 3).check_share(8)


def test_every_process_has_a_device_of_its_own() -> None:
    assert own_device("cpu") == torch.device("cpu")
    assert nth_device(1, 2) == 1
    with pytest.raises(ConfigError, match="process 2 has no CUDA device of its own, there are 2"):
        nth_device(2, 2)
    with pytest.raises(ConfigError, match="device 'tpu' is unknown"):
        own_device("tpu")


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [0, 2])
def test_gradients_of_two_processes_are_those_of_one(tmp_path: Path, chunk: int) -> None:
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
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    files = [str(tmp_path / "in.pt"), str(tmp_path / "out.pt")]
    command = [sys.executable, "-c", SCRIPT, *files, str(chunk)]
    started = [
        subprocess.Popen(command, env={**os.environ, **shared, "RANK": str(rank)})
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
