"""`terraseek models ...`, and downloads from a local server that behaves like the hub."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from filelock import FileLock
from typer.testing import CliRunner

from terraseek.commands import models
from terraseek.encoders.cards import HubFile, ModelCard, Preprocess, TokenizerFile, WeightsFile
from terraseek.encoders.hub import fetch_weights
from terraseek.encoders.registry import get_card, save_card
from terraseek.encoders.weight_files import find_tokenizer, find_weights, verify, weights_folder
from terraseek.errors import (
    Cancelled,
    TerraSeekError,
    UnknownModelError,
    WeightsChecksumError,
    WeightsNotFoundError,
)
from terraseek.files import write_json

TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
CONTENT = b"weights " * 4096
SHA = hashlib.sha256(CONTENT).hexdigest()


def card(**changes: Any) -> ModelCard:
    info = {
        "name": "published",
        "architecture": TINY,
        "weights": WeightsFile("published.pt"),
        "preprocess": Preprocess(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        "embed_dim": 8,
        "hub": HubFile("someone/model", "ckpt/weights.pt"),
    }
    return ModelCard(**{**info, **changes})


def run(*words: str) -> Any:
    app = typer.Typer()
    models.register(app)
    return CliRunner().invoke(app, ["models", *words])


# --- listing ---------------------------------------------------------------------------------


def test_the_table_names_every_model():
    result = run()
    assert result.exit_code == 0
    assert "georsclip-vit-b-32 " in result.stdout
    assert "not downloaded" in result.stdout
    assert "1.7 GB" in result.stdout


def test_json_is_the_only_thing_on_stdout():
    listed = {entry["name"]: entry for entry in json.loads(run("--json").stdout)}
    entry = listed["georsclip-vit-l-14"]
    assert entry["status"] == "not downloaded"
    assert entry["path"] is None
    assert entry["architecture"] == "ViT-L-14-quickgelu"
    assert entry["weights"] == {"file": "RS5M_ViT-L-14.pt", "sha256": None, "bytes": 1710635010}


def test_show_omits_empty_values():
    result = run("show", "georsclip-vit-b-32")
    shown = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if " " in line)
    numbers = {name.split(".")[1] for name, value in shown.items() if value.strip() == "EuroSAT"}
    assert len(numbers) == 1
    assert shown[f"published.{numbers.pop()}.figures.top1"].strip() == "61.4"
    assert "calibration" not in result.stdout
    assert json.loads(run("show", "georsclip-vit-b-32", "--json").stdout)["embed_dim"] == 512


def test_the_list_has_published_figures_apart_from_measured_ones(monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    header, *lines = run("list").stdout.splitlines()
    others = [line for line in lines if "AID top1 74.42" in line]
    ours = [line for line in lines if "RSICD val mR 17.07" in line]
    assert len(others) == len(ours) == 1
    assert others[0].index("AID top1") == header.index("published")
    assert ours[0].index("RSICD val") == header.index("measured here")


def test_show_prints_only_the_length_of_long_values():
    shown = run("show", "terraseek-tiny").stdout
    assert "characters; see --json" in shown.replace("\n", " ")
    info = json.loads(run("show", "terraseek-tiny", "--json").stdout)
    words = info["calibration"]["words"].split()
    assert "airport" in words
    assert " ".join(words[:5]) not in shown


def test_an_unknown_model_is_refused():
    for words in (("show", "nope"), ("remove", "nope"), ("fetch", "nope")):
        assert isinstance(run(*words).exception, UnknownModelError)


# --- adding ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from terraseek.encoders.nets.build import build_model

    path = tmp_path_factory.mktemp("weights") / "own.pt"
    torch.manual_seed(0)
    torch.save({"state_dict": build_model(TINY).state_dict()}, path)
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    write_json(tmp_path / "config.json", TINY)
    return tmp_path / "config.json"


def test_add_show_remove(weights, config):
    words = ["add", "own", "--arch", str(config), "--weights", str(weights)]
    result = run(*words, "--mean", "0.4,0.5,0.6", "--licence", "research")
    assert result.exit_code == 0, result.output
    assert "added own" in result.stderr
    info = json.loads(run("show", "own", "--json").stdout)
    assert info["preprocess"]["mean"] == [0.4, 0.5, 0.6]
    assert info["status"] == "ready"
    assert info["added"] is True
    assert isinstance(run(*words).exception, TerraSeekError)
    assert run(*words, "--replace").exit_code == 0
    assert run("remove", "own").exit_code == 0
    assert weights.is_file()
    assert isinstance(run("show", "own").exception, UnknownModelError)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mean", "0.4,0.5"], "three numbers"),
        (["--std", "a,b,c"], "three numbers"),
        (["--size", "0"], "--size"),
    ],
)
def test_bad_options_are_named(words, message, weights, config):
    result = run("add", "own", "--arch", str(config), "--weights", str(weights), *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_bad_settings_are_refused(weights, config):
    base = ["add", "own", "--arch", str(config), "--weights", str(weights)]
    for words in (["--interpolation", "nearest"], ["--resize-mode", "x"], ["--std", "0,1,1"]):
        result = run(*base, *words)
        assert isinstance(result.exception, TerraSeekError), words
    assert isinstance(run("show", "own").exception, UnknownModelError)


# --- fetching --------------------------------------------------------------------------------


@dataclass
class Hub:
    """Responses of the server, and the requests it received."""

    address: str = ""
    content: bytes = CONTENT
    etag: str = SHA
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    """Number of bytes after which each successive download is interrupted."""
    ranges: list[str] = field(default_factory=list)
    """Requested ranges; an empty string for the whole file."""
    ignores_ranges: bool = False
    """Whether the server sends the whole file for range requests."""
    requests: list[tuple[str, str]] = field(default_factory=list)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            state.requests.append((self.command, self.path))
            # requests to a proxy have the full address
            ours = self.path.endswith("/someone/model/resolve/main/ckpt/weights.pt")
            status = state.status if ours else 404
            wanted = "" if state.ignores_ranges else self.headers.get("Range", "")
            start = int((wanted or "bytes=0-").split("=")[1].split("-")[0])
            if body and ours:
                state.ranges.append(self.headers.get("Range", ""))
            content = state.content[start:] if status == 200 else b""
            self.send_response(206 if start and status == 200 else status)
            for name, value in {
                "Content-Length": str(len(content)),
                "ETag": f'"{state.etag}"',
                "X-Repo-Commit": "c" * 40,
                **state.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if body and status == 200:
                cut = state.cut.pop(0) if state.cut else len(content)
                self.wfile.write(content[:cut])
                if cut < len(content):
                    self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", state.address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # the hub client first requests a list of agents, unless it has a recent one
    recent = tmp_path / "agents.json"
    write_json(recent, {"standardEnvVars": [], "harnesses": {}})
    place = "huggingface_hub.constants.AGENT_HARNESSES_PATH"
    monkeypatch.setattr(place, str(recent), raising=False)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def terraseek(tmp_path: Path, endpoint: str, *words: str, **settings: str) -> Any:
    """Run the command in a subprocess whose hub client uses `endpoint`."""
    names = ("PATH", "TERRASEEK_HOME", "SYSTEMROOT")
    env = {name: os.environ[name] for name in names if name in os.environ}
    env |= {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": endpoint, "HF_HUB_ETAG_TIMEOUT": "2"}
    code = "from terraseek.cli import main; main()"
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", code, "models", *words]
    return subprocess.run(
        command, env=env | settings, capture_output=True, text=True, timeout=120, check=False
    )


def error_line(done: Any) -> str:
    """The single line of the error message."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("terraseek:")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def no_file_is_left() -> bool:
    return find_weights(card()) is None and not list(weights_folder().glob(".fetch*"))


def test_fetch_puts_the_file_in_place_and_pins_it(hub, tmp_path):
    save_card(card())
    done = terraseek(tmp_path, hub.address, "fetch", "published")
    assert done.returncode == 0, done.stderr
    path = find_weights(get_card("published"))
    assert path is not None
    assert path.read_bytes() == CONTENT
    assert SHA in done.stderr
    count = len(hub.requests)
    assert fetch_weights(get_card("published")).sha256 == SHA
    assert len(hub.requests) == count  # an existing file is only verified
    path.write_bytes(b"changed")
    with pytest.raises(WeightsChecksumError):  # though the card names no digest
        verify(get_card("published"))


def test_fetch_brings_the_tokenizer_along(hub):
    here = card(tokenizer=TokenizerFile("words.json", hub_file="ckpt/weights.pt"))
    fetch_weights(here)
    assert (weights_folder() / "published.pt").read_bytes() == CONTENT
    assert find_tokenizer(here) == weights_folder() / "words.json"
    assert find_tokenizer(here).read_bytes() == CONTENT
    count = len(hub.requests)
    fetch_weights(here)
    assert len(hub.requests) == count
    find_tokenizer(here).write_bytes(b"changed")
    with pytest.raises(WeightsChecksumError):
        find_tokenizer(here)


def test_a_failed_fetch_is_one_line(hub, tmp_path):
    save_card(card())
    hub.status, hub.headers = 404, {"X-Error-Code": "EntryNotFound"}
    message = error_line(terraseek(tmp_path, hub.address, "fetch", "published"))
    assert "it has no file ckpt/weights.pt" in message
    assert no_file_is_left()


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (404, {"X-Error-Code": "EntryNotFound"}, "it has no file ckpt/weights.pt"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "it has no revision"),
        (401, {"X-Error-Code": "RepoNotFound"}, "no such repository, or it needs HF_TOKEN"),
        (401, {"X-Error-Message": "Invalid username or password."}, "HF_TOKEN"),
        (403, {"X-Error-Code": "GatedRepo"}, "gated"),
        (500, {}, "the hub answered 500"),
    ],
)
def test_refusals_of_the_hub_are_explained(status, headers, message, hub):
    hub.status, hub.headers = status, headers
    with pytest.raises(WeightsNotFoundError, match=message):
        fetch_weights(card())
    assert no_file_is_left()


def test_a_file_that_differs_from_the_hubs_checksum_is_refused(hub):
    hub.content = b"x" + CONTENT[1:]
    with pytest.raises(WeightsChecksumError, match="the file was deleted"):
        fetch_weights(card())
    assert no_file_is_left()


def test_a_file_that_differs_from_the_cards_checksum_is_refused(hub):
    hub.etag = "a" * 40
    with pytest.raises(WeightsChecksumError, match="expected 000000000000"):
        fetch_weights(card(weights=WeightsFile("published.pt", "0" * 64)))
    assert no_file_is_left()


def test_another_version_than_the_cards_is_not_downloaded(hub):
    with pytest.raises(WeightsChecksumError, match="expected 000000000000"):
        fetch_weights(card(weights=WeightsFile("published.pt", "0" * 64)))
    assert not [path for verb, path in hub.requests if verb == "GET" and "resolve" in path]


def test_an_interrupted_download_is_resumed(hub):
    hub.cut = [10_000]
    assert fetch_weights(card()).sha256 == SHA


@pytest.fixture
def small_chunks(monkeypatch):
    """Make the client write every 1,000 bytes instead of 10 MB, and retry without waiting."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)


def interrupt(hub: Hub) -> None:
    """Fetch with a connection that fails at byte 10,000 and at each retry."""
    hub.cut = [10_000, *[0] * 20]
    with pytest.raises(WeightsNotFoundError, match="could not be fetched"):
        fetch_weights(card())
    hub.cut, hub.ranges = [], []


def test_a_later_fetch_resumes_an_earlier_one(hub, small_chunks, tmp_path):
    interrupt(hub)
    assert find_weights(card()) is None
    (part,) = weights_folder().glob(".fetch-published/*.part")
    assert part.stat().st_size == 10_000
    save_card(card())
    done = terraseek(tmp_path, hub.address, "fetch", "published")  # another process
    assert done.returncode == 0, done.stderr
    assert hub.ranges == ["bytes=10000-"]
    assert verify(get_card("published")).sha256 == SHA
    assert not list(weights_folder().glob(".fetch*"))


def test_a_connection_that_breaks_in_every_piece_gets_further(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10 << 20)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _: None)
    hub.content = os.urandom(1_000_000)
    hub.etag = hashlib.sha256(hub.content).hexdigest()
    hub.cut = [100_000] * 40
    assert fetch_weights(card()).sha256 == hub.etag
    starts = [int(text.removeprefix("bytes=").rstrip("-") or 0) for text in hub.ranges]
    steps = [after - before for before, after in pairwise(starts)]
    assert len(steps) >= 9
    assert min(steps) > 80_000, starts


def test_a_hub_without_ranges_is_read_from_the_start(hub, small_chunks):
    interrupt(hub)
    hub.ignores_ranges = True
    assert fetch_weights(card()).sha256 == SHA
    assert hub.ranges == ["bytes=10000-"]


def test_the_partial_file_of_another_version_is_not_used(hub, small_chunks):
    interrupt(hub)
    hub.content = b"other " * 4096
    hub.etag = hashlib.sha256(hub.content).hexdigest()
    assert fetch_weights(card()).sha256 == hub.etag
    assert hub.ranges == [""]


def test_a_complete_partial_file_is_only_verified(hub):
    work = weights_folder() / ".fetch-published"
    work.mkdir(parents=True)
    name = hashlib.sha256(SHA.encode()).hexdigest()[:16]
    (work / f"{name}.part").write_bytes(CONTENT)
    assert fetch_weights(card()).sha256 == SHA
    assert hub.ranges == []


def test_two_fetches_of_one_model_do_not_mix(hub):
    work = weights_folder() / ".fetch-published"
    work.mkdir(parents=True)
    with FileLock(work / "lock"), pytest.raises(WeightsNotFoundError, match="another process"):
        fetch_weights(card())
    assert hub.ranges == []
    assert fetch_weights(card()).sha256 == SHA
    assert not list(weights_folder().glob(".fetch*"))


def test_missing_space_is_reported_before_the_download(hub, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(WeightsNotFoundError, match=r"needs 0 MB, 0 MB are free"):
        fetch_weights(card())
    assert hub.ranges == []


def test_a_full_disk_is_cleaned_up(hub, monkeypatch):
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(WeightsNotFoundError, match="the disk is full"):
        fetch_weights(card())
    assert no_file_is_left()


def test_the_token_is_sent_to_the_hub_only(hub, monkeypatch):
    sent: list[dict[str, str]] = []

    def note(_url: str, file: Any, **info: Any) -> None:
        sent.append(info["headers"])
        file.write(CONTENT)

    monkeypatch.setattr("huggingface_hub.file_download.http_get", note)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch_weights(card())
    verified = find_weights(card())
    assert verified is not None
    verified.unlink()
    hub.headers = {"Location": "http://elsewhere.invalid/signed", "X-Linked-Etag": f'"{SHA}"'}
    hub.headers["X-Linked-Size"] = str(len(CONTENT))
    hub.status = 302
    fetch_weights(card())
    assert [headers.get("authorization") for headers in sent] == ["Bearer hf_secret", None]


def test_a_proxy_is_used(hub, tmp_path):
    save_card(card())
    done = terraseek(tmp_path, "http://hub.invalid", "fetch", "published", HTTP_PROXY=hub.address)
    assert done.returncode == 0, done.stderr
    assert hub.requests[-1] == (
        "GET",
        "http://hub.invalid/someone/model/resolve/main/ckpt/weights.pt",
    )


def test_progress_ends_at_the_end_and_can_cancel(hub):
    seen: list[tuple[str, int, int]] = []
    hub.content = bytes(3 << 20)
    hub.etag = hashlib.sha256(hub.content).hexdigest()

    def stop(*step: Any) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        fetch_weights(card(), stop)
    assert no_file_is_left()
    fetch_weights(card(), lambda *step: seen.append(step))
    assert seen[-1] == ("fetch weights (MB)", 3, 3)


def test_offline_mode_is_reported(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsNotFoundError, match="HF_HUB_OFFLINE is set"):
        fetch_weights(card())
    assert hub.requests == []


def test_a_missing_server_is_reported(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsNotFoundError, match="no connection"):
        fetch_weights(card())
    assert no_file_is_left()


def test_a_card_without_a_hub_entry_is_refused():
    with pytest.raises(WeightsNotFoundError, match="names no place"):
        fetch_weights(card(hub=None))
