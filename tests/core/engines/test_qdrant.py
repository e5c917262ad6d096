"""Indexes in Qdrant, by its client's local mode: the hits of the flat index, whatever changes."""

import json
import logging
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import Area, Catalogue, Circle, Filter, import_source
from terraseek.catalogue.deletion import delete_items, restore_items
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.encoders.fake import FakeEncoder
from terraseek.engines.qdrant import ADDRESS_VARIABLE, MEMORY_ADDRESS, QdrantEngine
from terraseek.errors import ConfigError, EngineError
from terraseek.geo import BBox
from terraseek.index import candidates, engine_index
from terraseek.index.engine_build import build_engine_index
from terraseek.index.manifest import IndexManifest
from terraseek.search import Query, Searcher

pytest.importorskip("qdrant_client")

COUNT = 90
QUERY = Query(text="dark green")
PLACES = ((180, 0), (-180, 10), (179.5, -10), (-179.5, 5), (0, 90), (10, -90), (0, 0))


def write_source(base: Path, name: str, first: int, count: int) -> None:
    """Images of random colours, some at poles and at 180 degrees, some without values."""
    random = np.random.default_rng(first)
    (base / name).mkdir(exist_ok=True)
    lines = ["filename,caption,lon,lat,label,date,gsd"]
    for i in range(first, first + count):
        colour = random.integers(0, 256, (1, 1, 3)).astype(np.uint8)
        Image.fromarray(np.repeat(np.repeat(colour, 4, 0), 4, 1)).save(base / name / f"{i}.png")
        place = PLACES[i] if i < len(PLACES) else random.integers((-180, -80), (181, 81))
        lon, lat = ("", "") if i % 9 == 8 else place
        date = ("2019", "2019-05", f"2019-{1 + i % 12:02}-05", "")[i % 4]
        gsd = random.choice([0.3, 1.0, 10.0]) if i % 11 else ""
        lines.append(f"{i}.png,a field {i},{lon},{lat},{('Farm', 'lake')[i % 2]},{date},{gsd}")
    (base / name / "items.csv").write_text("\n".join(lines))


def make(base: Path) -> Path:
    for name, first in (("north", 0), ("south", COUNT // 2)):
        write_source(base, name, first, COUNT // 2)
        import_source(base / name / "items.csv", base / "cat", name=name, check=False)
    embed_catalogue(Catalogue.open(base / "cat"), FakeEncoder())
    return base / "cat"


@pytest.fixture(autouse=True)
def _address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, MEMORY_ADDRESS)
    monkeypatch.setattr(candidates, "_SCAN_DESPITE_INDEX", 0)  # few rows are scanned otherwise
    monkeypatch.setattr(engine_index, "_MIN_LIST", 4)  # so that lists have to be extended


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Searcher, Searcher]:
    """A searcher without an index, and one with an index in Qdrant."""
    path = make(tmp_path_factory.mktemp("qdrant"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS_VARIABLE, MEMORY_ADDRESS)
        flat = searcher_of(path)
        catalogue = Catalogue.open(path)
        store = EmbeddingStore.open(catalogue)
        build_engine_index(store, catalogue)
        build_engine_index(store.text_store("captions"), catalogue)
        return flat, searcher_of(path)


def searcher_of(path: Path, **options: bool) -> Searcher:
    return Searcher(Catalogue.open(path), FakeEncoder(), **options)


def index(path: Path) -> IndexManifest:
    catalogue = Catalogue.open(path)
    return build_engine_index(EmbeddingStore.open(catalogue), catalogue)


def uses_qdrant(searcher: Searcher) -> bool:
    return isinstance(searcher._image_candidates._index, engine_index.EngineIndex)


def ids(searcher: Searcher, where: Filter | None = None, k: int = 20) -> list[str]:
    return [hit.item_id for hit in searcher.search(QUERY, k, where).hits]


numbers = st.integers(-180, 180)
heights = st.integers(-90, 90)
conditions = st.fixed_dictionaries(
    {
        "bbox": st.none() | st.tuples(numbers, heights, numbers, heights),
        "polygon": st.none()
        | st.lists(st.tuples(st.integers(-250, 250), heights), min_size=3, max_size=6),
        "within": st.none() | st.tuples(numbers, heights, st.integers(100, 15_000)),
        "sources": st.sampled_from([(), ("north",), ("south", "north")]),
        "labels": st.sampled_from([(), ("farm",), ("LAKE",)]),
        "precision": st.sampled_from([(), ("point",), ("none", "exact")]),
        "date_from": st.sampled_from([None, "2019-06-01", "2019-05"]),
        "date_to": st.sampled_from([None, "2019-08-10", "2019"]),
        "gsd_min": st.sampled_from([None, 0.3]),
        "gsd_max": st.sampled_from([None, 1.0]),
        "caption": st.sampled_from([None, None, "field 1"]),
        "sql": st.sampled_from([None, None, "lat > 0"]),
    }
)


def filter_of(asked: dict) -> Filter:
    values = dict(asked)
    if values["bbox"]:
        west, south, east, north = values["bbox"]
        values["bbox"] = BBox(west, min(south, north), east, max(south, north))
    if values["polygon"]:
        shape = shapely.MultiPoint(values["polygon"]).convex_hull
        assume(shape.geom_type == "Polygon" and shape.bounds[2] - shape.bounds[0] <= 360)
        values["polygon"] = Area(shape)
    if values["within"]:
        values["within"] = Circle(*values["within"])
    return Filter(**values)


@settings(max_examples=80, deadline=None)
@given(asked=conditions, kept=st.sets(st.sampled_from(["bbox", "polygon", "within"]), max_size=1),
       k=st.integers(1, COUNT), alpha=st.sampled_from([0.0, 0.0, 0.4]))  # fmt: skip
def test_random_filters_have_the_hits_of_the_flat_index(shared, asked, kept, k, alpha):
    places = {"bbox", "polygon", "within"} - kept
    where = filter_of({name: None if name in places else v for name, v in asked.items()})
    query = Query(text="dark green", alpha=alpha)
    flat, qdrant = (s.search(query, k, where) for s in shared)
    assert [(h.item_id, h.score) for h in qdrant.hits] == [(h.item_id, h.score) for h in flat.hits]
    assert qdrant.matched == flat.matched


@pytest.mark.parametrize(
    "where",
    [
        Filter(polygon=Area.parse("170,-20;190,-20;190,20;170,20")),
        Filter(polygon=Area.parse("-190,-20;-170,-20;-170,20;-190,20")),
        Filter(polygon=Area(shapely.box(-180, -90, 180, 90))),
        Filter(bbox=BBox(179, -20, -179, 20)),
        Filter(bbox=BBox(180, -20, 180, 20)),
        Filter(bbox=BBox(-180, 80, 180, 90)),
        Filter(within=Circle(180, 0, 1500)),
        Filter(within=Circle(40, 90, 3000)),
    ],
)
def test_areas_at_the_antimeridian_and_the_poles(shared, where):
    flat, qdrant = shared
    assert uses_qdrant(qdrant)
    assert len(ids(flat, where, COUNT)) >= 1
    assert ids(qdrant, where, COUNT) == ids(flat, where, COUNT)
    engine = qdrant._image_candidates._index._collection.engine
    rows, _ = engine.candidates(flat.vector(QUERY), COUNT, where, exact=True, effort=64)
    assert set(np.flatnonzero(flat.catalogue.mask(where))) <= set(rows.tolist())


def test_an_exact_search_is_certified(shared):
    _, qdrant = shared
    where = Filter(sources=("north",))
    searcher = Searcher(qdrant.catalogue, FakeEncoder(), exact=True)
    result = searcher.search(QUERY, 5, where)
    assert result.exact
    assert not qdrant.search(QUERY, 5, where).exact
    assert [hit.item_id for hit in result.hits] == ids(shared[0], where, 5)


def test_new_changed_deleted_and_restored_items_are_found(folder: Path):
    first = index(folder)
    assert first.recall_at_10["captions"] == 1.0
    victim = ids(searcher_of(folder))[0]
    delete_items(folder, [victim])
    assert ids(searcher_of(folder))[0] != victim
    index(folder)  # the row is deleted in Qdrant
    engine = QdrantEngine(first.collection)
    assert engine.count() == COUNT - 1
    restore_items(folder, [victim])
    assert ids(searcher_of(folder))[0] == victim  # though Qdrant does not have it

    write_source(folder.parent, "more", COUNT, 10)
    import_source(folder.parent / "more/items.csv", folder, name="more", check=False)
    embed_catalogue(Catalogue.open(folder), FakeEncoder())
    searcher = searcher_of(folder)
    assert uses_qdrant(searcher)
    assert len(ids(searcher, Filter(sources=("more",)))) == 10
    again = index(folder)
    assert (again.collection, again.count, engine.count()) == (first.collection, 100, 100)
    assert len(ids(searcher_of(folder), Filter(sources=("more",)))) == 10


def test_items_whose_values_changed_are_found_by_the_new_ones(folder: Path):
    """A metadata table gives a label to an item that Qdrant knows without one."""
    base = folder.parent
    (base / "meta.csv").write_text("img_name,lon,lat,caption\n1000.png,12,34,a lake\n")
    import_source(base / "meta.csv", base / "late", kind="metadata", check=False)
    (base / "meta.csv").write_text("img_name,lon,lat,caption,label\n1000.png,12,34,a lake,pond\n")
    embed_catalogue(Catalogue.open(base / "late"), FakeEncoder())
    catalogue = Catalogue.open(base / "late")
    captions = EmbeddingStore.open(catalogue).text_store("captions")
    built = build_engine_index(captions, catalogue)
    import_source(base / "meta.csv", base / "late", kind="metadata", name="more", check=False)
    changed = Catalogue.open(base / "late")
    assert changed.labels == ["pond"]
    store = EmbeddingStore.open(changed).text_store("captions")
    opened = engine_index.open_engine_index(store, built, changed)
    rows = np.array([0])
    assert opened.uncovered(rows).tolist() == []
    assert opened.uncovered(rows, Filter(labels=("pond",))).tolist() == [0]
    rebuilt = build_engine_index(store, changed)
    again = engine_index.open_engine_index(store, rebuilt, changed)
    assert again.uncovered(rows, Filter(labels=("pond",))).tolist() == []


def test_without_the_server_the_stored_vectors_are_scanned(folder, monkeypatch, caplog):
    flat = ids(searcher_of(folder))
    index(folder)
    monkeypatch.setenv(ADDRESS_VARIABLE, "http://127.0.0.1:9")
    searcher = searcher_of(folder)
    assert uses_qdrant(searcher)
    with caplog.at_level(logging.WARNING):
        result = searcher.search(QUERY, 20)
    assert [hit.item_id for hit in result.hits] == flat
    assert result.exact
    assert "Qdrant cannot answer" in caplog.text
    with pytest.raises(EngineError, match="names a running server"):
        index(folder)
    monkeypatch.delenv(ADDRESS_VARIABLE)
    assert ids(searcher_of(folder)) == flat
    with pytest.raises(ConfigError, match="http://localhost:6333"):
        index(folder)


def test_a_killed_copy_leaves_every_row_findable(folder: Path):
    class Stop(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        raise Stop

    flat = ids(searcher_of(folder), k=COUNT)
    catalogue = Catalogue.open(folder)
    with pytest.raises(Stop):
        build_engine_index(EmbeddingStore.open(catalogue), catalogue, stop)
    searcher = searcher_of(folder)
    assert uses_qdrant(searcher)
    assert ids(searcher, k=COUNT) == flat
    assert ids(searcher, k=10) == flat[:10]
    index(folder)
    assert ids(searcher_of(folder), k=10) == flat[:10]


def test_the_commands_work_as_with_the_flat_index(folder: Path):
    def run(*arguments: object):
        return CliRunner().invoke(build_app(), [str(a) for a in arguments])

    search = ("search", folder, "green", "--json", "-k", 7, "--source", "south")
    flat = json.loads(run(*search).stdout)
    done = run("index", folder, "--engine", "qdrant", "--captions", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["kind"], told["count"]) == ("qdrant", COUNT)
    assert f"collection {told['collection']}" in done.stderr
    assert json.loads(run(*search).stdout) == flat
    checked = run("doctor", "--deep", folder, "--json")
    assert f"{told['collection']}, {COUNT} rows" in checked.stdout
    files = run("index", folder, "--json")
    assert f"deleted the collection {told['collection']}" in files.stderr
    assert not QdrantEngine(told["collection"]).exists()
    assert json.loads(run(*search).stdout) == flat
    wrong = run("index", folder, "--engine", "nosuch")
    assert isinstance(wrong.exception, ConfigError)


def test_a_compaction_leaves_no_collection_behind(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def run(*arguments: object):
        done = CliRunner().invoke(build_app(), [str(a) for a in arguments])
        assert done.exit_code == 0, done.output
        return done

    def collections() -> set[str]:
        store = EmbeddingStore.open(Catalogue.open(folder))
        manifests = [IndexManifest.read(s) for s in (store, store.text_store("captions"))]
        return {m.collection for m in manifests if m}

    run("index", folder, "--engine", "qdrant", "--captions")
    built = collections()
    assert len(built) == 2
    run("compact", folder)  # nothing to remove: the indexes stay
    assert collections() == built
    assert all(QdrantEngine(name).exists() for name in built)
    delete_items(folder, [ids(searcher_of(folder))[0]])
    flat = ids(searcher_of(folder))
    assert "deleted" in run("compact", folder).stderr
    assert [name for name in built if QdrantEngine(name).exists()] == []
    assert ids(searcher_of(folder)) == flat
    run("index", folder, "--engine", "qdrant", "--captions")
    delete_items(folder, [ids(searcher_of(folder))[0]])
    kept = collections()
    monkeypatch.setenv(ADDRESS_VARIABLE, "http://127.0.0.1:9")
    told = run("compact", folder).stderr
    assert all(name in told for name in kept)
    assert "the database keeps" in told
