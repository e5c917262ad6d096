"""Form values and background jobs of the Localize page."""

import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import EmptyQueryError, InputError, SceneError
from terraseek.progress import Progress, silent
from terraseek_app.pages.localize import job as localize_job
from terraseek_app.pages.localize import parsing
from terraseek_app.pages.localize.form import LocalizeForm, available_methods
from terraseek_app.server import state
from terraseek_app.server.settings import Settings
from terraseek_app.widgets import background_jobs
from terraseek_app.widgets.background_jobs import Job, JobQueue


@pytest.fixture
def fake() -> Iterator[None]:
    state.reset(Settings(model="fake"))
    yield
    state.reset(Settings())


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("red", ["red"]),
        ("red roofs; a green field ", ["red roofs", "a green field"]),
        (";red;;", ["red"]),
        (" ; ", [" ; "]),
    ],
)
def test_semicolons_separate_sentences(text: str, sentences: list[str]) -> None:
    assert parsing.split_sentences(text) == sentences


def test_each_sentence_gets_a_heat_map(fake: None, tmp_path: Path) -> None:
    Image.fromarray(np.full((90, 120, 3), 120, np.uint8)).save(tmp_path / "a.png")
    question = LocalizeForm("red; green", "dark", method="selo-v1", scales=(32,))
    kept = localize_job.compute_heat_maps(tmp_path / "a.png", question, silent)
    heats = [state.heat(heat_id) for heat_id in kept]
    assert [heat.query for heat in heats] == question.labels == ["red", "green"]
    assert {heat.method for heat in heats} == {"selo-v1"}
    assert {heat.scene_name for heat in heats} == {"a.png"}


def test_coarse_maps_come_before_the_answer(fake: None, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 255, (400, 500, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    form = LocalizeForm("red; green", scales=(32, 64))
    shown: list[tuple[str, ...]] = []
    windows: list[int] = []

    def watch(heat_ids: tuple[str, ...]) -> None:
        shown.append(heat_ids)
        windows.append(state.heat(heat_ids[0]).n_windows)

    final = localize_job.compute_heat_maps(tmp_path / "a.png", form, silent, on_partial=watch)
    counts = [*windows, state.heat(final[0]).n_windows]
    assert len(shown) >= 3
    assert all(len(ids) == 2 for ids in shown)
    assert counts == sorted(set(counts))
    assert counts[0] < 0.45 * counts[-1]
    assert state.heat(shown[-1][1]).query == "green"
    state.remove_heats(one for ids in shown for one in ids)
    with pytest.raises(SceneError, match="no longer kept"):
        state.heat(shown[0][0])
    assert state.heat(final[1]).query == "green"


def test_more_sentences_than_colours_are_refused() -> None:
    with pytest.raises(InputError, match="9 sentences are more than the 8"):
        LocalizeForm("; ".join("abcdefghi"))


def test_lines_become_sentences() -> None:
    text = "planes on an apron\n\n storage tanks;\nplanes on an apron\n"
    assert parsing.join_lines(text) == "planes on an apron; storage tanks"


def test_a_waiting_job_knows_its_place_in_the_queue() -> None:
    queue: JobQueue[str] = JobQueue(workers=1)
    may_end = threading.Event()

    def wait(progress: Progress) -> str:
        may_end.wait(60)
        return "done"

    jobs = [queue.start(name, wait) for name in "abc"]
    while jobs[0].is_waiting:
        may_end.wait(0.01)
    assert [queue.waiting_before(job) for job in jobs] == [0, 1, 2]
    assert localize_job.queue_text(2) == "waiting: number 2 in the queue"
    may_end.set()
    assert all(job.has_ended(60) for job in jobs)
    assert [queue.waiting_before(job) for job in jobs] == [0, 0, 0]


def test_heat_maps_of_an_upload_have_the_name_of_the_users_file(fake: None, tmp_path: Path) -> None:
    Image.fromarray(np.full((90, 120, 3), 120, np.uint8)).save(tmp_path / "0a1b2c.png")
    form = LocalizeForm("red", scales=(32,))
    path = tmp_path / "0a1b2c.png"
    [kept] = localize_job.compute_heat_maps(path, form, silent, name="harbour.png")
    assert state.heat(kept).scene_name == "harbour.png"


@pytest.mark.parametrize("text", [";;;", " ; ; ", ";"])
def test_semicolons_alone_are_refused_in_words(text: str) -> None:
    with pytest.raises(EmptyQueryError, match="holds no sentence; say what to look for"):
        LocalizeForm(text=text)


def test_form_needs_a_sentence_or_an_image() -> None:
    with pytest.raises(EmptyQueryError, match="say what to look for"):
        LocalizeForm(minus="red")
    question = LocalizeForm("red", image="upload:abc.png", image_name="roof.png")
    assert question.labels == ["picture roof.png"]
    assert LocalizeForm(**asdict(question)) == question


def test_dense_is_available_with_a_feature_map_and_a_card_that_allows_it() -> None:
    without = ["terraseek", "windows", "selo-v1", "selo-v2"]
    assert "dense" in available_methods("terraseek-tiny")
    assert available_methods("terraseek-tiny", FakeEncoder()) == without
    assert available_methods("georsclip-vit-b-32") == without  # its card has no measurement
    assert available_methods("fake") == without


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0.2, ", about 1 s left"),
        (42, ", about 42 s left"),
        (600, ", about 10 min left"),
        (203, ", about 3 min 20 s left"),
    ],
)
def test_time_left_text(seconds: float | None, words: str) -> None:
    assert localize_job.time_left(seconds) == words


def test_time_left_uses_the_rate_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(background_jobs.time, "monotonic", lambda: now)
    job: Job[str] = Job("id", "red")
    assert job.remaining_s is None
    job.report("encode windows", 500, 1000)  # an earlier run had done half
    assert job.remaining_s is None
    now += 10
    job.report("encode windows", 600, 1000)
    assert job.remaining_s == pytest.approx(40)
    job.report("another part", 0, 0)
    assert job.remaining_s is None
