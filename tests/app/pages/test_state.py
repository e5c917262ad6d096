"""Form values in the URL, uploads, background jobs, and metadata texts."""

import io
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terraseek.catalogue import Filter
from terraseek.errors import (
    Cancelled,
    EmptySceneError,
    LatticeError,
    SceneError,
    SceneTooLargeError,
)
from terraseek_app.pages.explore.example_queries import example_queries
from terraseek_app.pages.explore.link import from_params, to_params
from terraseek_app.pages.explore.search import build_filter
from terraseek_app.pages.explore.state import K_CHOICES, SearchForm
from terraseek_app.server.settings import UPLOAD_AGE_S
from terraseek_app.server.uploads import keep_upload, upload_folder, upload_path
from terraseek_app.widgets.background_jobs import JobQueue
from terraseek_app.widgets.metadata import coordinates, has_value, metadata_rows

words = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30).map(str.strip)
names = st.lists(words.filter(bool), max_size=3, unique=True).map(tuple)
degrees = st.integers(-17_000, 17_000).map(lambda n: n / 100)
latitudes = st.integers(-8_000, 8_000).map(lambda n: n / 100)
days = st.dates().map(lambda day: day.isoformat()) | st.none()


@st.composite
def asks(draw: st.DrawFn) -> SearchForm:
    south, north = sorted((draw(latitudes), draw(latitudes)))
    box = draw(st.none() | st.just((draw(degrees), south, draw(degrees), north)))
    corner = st.tuples(degrees, latitudes)
    triangle = corner.map(
        lambda at: (at, (round(at[0] + 5, 2), at[1]), (at[0], round(at[1] + 2, 2)))
    )
    circle = st.tuples(corner, st.integers(1, 2_000_000)).map(lambda c: (*c[0], c[1] / 100))
    several = st.lists(words.filter(bool), unique=True, max_size=2).map(tuple)
    text = draw(words)
    return SearchForm(
        text=text,
        minus=draw(several),
        plus=draw(several),
        images=draw(st.sampled_from([(), ("0123456789abcdef0123.png",)])),
        weights=(("text", draw(st.sampled_from([0.0, 0.25, 2.0]))),) if text else (),
        columns=draw(st.sampled_from([(), ("month=2", "cloud=0..20", "country=")])),
        polygons=draw(st.lists(triangle, max_size=2).map(tuple)),
        circle=draw(st.none() | circle),
        where=draw(words),
        likes=draw(several),
        box=box,
        k=draw(st.sampled_from(K_CHOICES)),
        sources=draw(names),
        labels=draw(names),
        date_from=draw(days),
        date_to=draw(days),
        with_coordinates=draw(st.booleans()),
        collapse_duplicates=draw(st.booleans()),
    )


@settings(deadline=None)  # a busy machine is no fault of the code
@given(asks(), words)
def test_form_values_survive_the_url(ask: SearchForm, selected: str) -> None:
    params = to_params(ask, selected or None)
    values = {n: v if isinstance(v, list) else [v] for n, v in params.items()}
    again, chosen, notes = from_params(values)
    assert again == ask
    assert chosen == (selected or None)
    assert notes == []


def test_what_is_no_upload_is_left_out_of_the_query() -> None:
    form, _, notes = from_params({"image": ["../etc/passwd"], "q": ["red"]})
    assert form.images == ()
    assert "no uploaded image" in notes[0]


@pytest.mark.parametrize(
    ("params", "note"),
    [
        ({"bbox": ["1,2,3"]}, "W,S,E,N"),
        ({"bbox": ["0,50,10,40"]}, "south"),
        ({"k": ["0"]}, "k is '0'; give a whole number from 1 up"),
        ({"k": ["many"]}, "give a whole number"),
        ({"k": ["5000"]}, "results"),
        ({"date_from": ["yesterday"]}, "a date like"),
        ({"date_from": ["2017-08"]}, "a day like"),
        ({"from": ["yesterday"]}, "a date like"),
        ({"polygon": ["1,2;3,4"]}, "area"),
        ({"polygon": ["1,2;3,4;5"]}, "area"),
        ({"polygon": ["0,0;1,1;2,2"]}, "area"),
        ({"polygon": ["nan,0;1,1;2,0"]}, "area"),
        ({"polygon": ["0,0;0,200;2,0"]}, "area"),
        ({"within": ["1,2"]}, "LON,LAT,KM"),
        ({"within": ["1,91,5"]}, "LON,LAT,KM"),
        ({"within": ["1,1,99999"]}, "circumference"),
    ],
)
def test_invalid_url_parameters_are_left_out_with_a_note(
    params: dict[str, list[str]], note: str
) -> None:
    ask, _, notes = from_params(params)
    assert ask == SearchForm()
    assert len(notes) == 1
    assert note in notes[0]


def test_a_link_of_before_means_the_same() -> None:
    former = {
        **{
            "box": ["1,2,3,4"],
            "from": ["2017-08-01"],
            "to": ["2017-09-01"],
            "where": ["gsd_m < 1"],
        },
        **{"captions": ["30"], "placed": ["1"], "distinct": ["1"]},
    }
    form, _, notes = from_params(former)
    assert notes == []
    assert form == SearchForm(
        box=(1.0, 2.0, 3.0, 4.0),
        date_from="2017-08-01",
        date_to="2017-09-01",
        where="gsd_m < 1",
        captions=30,
        with_coordinates=True,
        collapse_duplicates=True,
    )


def test_a_parameter_without_a_widget_counts_and_stays_in_the_link() -> None:
    form, _, notes = from_params({"gsd_max": ["0.5"], "precision": ["none"], "colour": ["red"]})
    assert notes == []
    assert build_filter(form) == Filter(gsd_max=0.5, precision=("none",))
    assert to_params(form, None) == {"gsd_max": ["0.5"], "precision": ["none"]}
    assert form.n_filters == 2


def test_text_image_or_item_is_a_query() -> None:
    assert not SearchForm(text="  ", minus=("ships",), labels=("harbour",)).has_query
    assert SearchForm(text="ships").has_query
    assert SearchForm(likes=("a1",)).has_query
    assert SearchForm(images=("t.png",)).has_query


def test_example_queries_fit_the_labels() -> None:
    assert example_queries(["storage tanks"])[0] == "white round storage tanks"
    assert len(example_queries([])) == 6


def test_uploads_are_stored_under_their_content_hash(tmp_path: Path) -> None:
    first = keep_upload(io.BytesIO(b"pixels"), "a scene.TIF", tmp_path, 1 << 20)
    again = keep_upload(io.BytesIO(b"pixels"), "other.tif", tmp_path, 1 << 20)
    assert first == again
    assert first.endswith(".tif")
    assert [path.read_bytes() for path in upload_folder(tmp_path).iterdir()] == [b"pixels"]
    assert upload_path(first, tmp_path).read_bytes() == b"pixels"


def test_too_large_or_empty_uploads_leave_no_file(tmp_path: Path) -> None:
    with pytest.raises(SceneTooLargeError, match="larger than 1 MB"):
        keep_upload(io.BytesIO(b"x" * ((1 << 20) + 1)), "big.tif", tmp_path, 1 << 20)
    with pytest.raises(EmptySceneError, match="no bytes"):
        keep_upload(io.BytesIO(b""), "none.tif", tmp_path, 1 << 20)
    assert list(upload_folder(tmp_path).iterdir()) == []


def test_old_uploads_are_removed(tmp_path: Path) -> None:
    old = keep_upload(io.BytesIO(b"old"), "old.png", tmp_path, 1 << 20)
    keep_upload(io.BytesIO(b"second"), "second.png", tmp_path, 1 << 20)
    later = time.monotonic() + UPLOAD_AGE_S + 60
    keep_upload(io.BytesIO(b"new"), "new.png", tmp_path, 1 << 20, now=later)
    with pytest.raises(SceneError, match="upload it again"):
        upload_path(old, tmp_path)


def test_a_token_cannot_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.tif").write_bytes(b"s")
    folder = tmp_path / "uploads"
    folder.mkdir()
    with pytest.raises(SceneError):
        upload_path("../secret.tif", folder)


def test_a_job_gives_its_result_and_its_progress() -> None:
    jobs: JobQueue[int] = JobQueue()

    def work(progress: object) -> int:
        assert callable(progress)
        progress("encode windows", 3, 4)
        return 7

    job = jobs.start("count", work)
    assert job.has_ended(wait_s=60)
    assert job.result() == 7
    assert (job.stage, job.fraction) == ("encode windows", 0.75)
    assert jobs.get(job.job_id) is job
    assert jobs.get("nobody") is None


def test_a_job_can_be_cancelled_between_steps() -> None:
    jobs: JobQueue[None] = JobQueue()
    started = threading.Event()

    def work(progress: object) -> None:
        assert callable(progress)
        while True:
            progress("encode windows", 1, 0)
            started.set()
            time.sleep(0.005)

    job = jobs.start("endless", work)
    assert started.wait(60)
    job.cancel_requested.set()
    assert job.has_ended(wait_s=60)
    with pytest.raises(Cancelled):
        job.result()


def test_job_result_raises_the_error_of_the_work() -> None:
    def work(progress: object) -> None:
        raise LatticeError("window sides 1 are too small")

    job = JobQueue[None]().start("fails", work)
    assert job.has_ended(wait_s=60)
    with pytest.raises(LatticeError, match="too small"):
        job.result()


def test_metadata_rows_contain_only_known_values() -> None:
    item = {
        "item_id": "a1",
        "image": "shard.tar#1",
        "caption": "ships",
        "lon": -9.5,
        "lat": 38.25,
        "location_precision": "utm_zone",
        "captured_at": "2017-08-31",
        "gsd_m": 0.5,
        "label": "",
        "country": "Portugal",
        "cloud": None,
    }
    rows = dict(metadata_rows(item))
    assert rows["position"] == "38.25000° N, 9.50000° W"
    assert rows["precision"] == "only the UTM zone is known"
    assert rows["resolution"] == "0.5 m per pixel"
    assert rows["country"] == "Portugal"
    assert not {"label", "cloud", "image", "item id"} & set(rows)


def test_unknown_places_have_no_coordinates() -> None:
    assert coordinates(None, None) == ""
    assert coordinates(float("nan"), 3.0) == ""
    assert not has_value(float("nan"))
