"""Export of hits, batch search, and the commands for both."""

import csv
import io
import json
import tarfile
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError, MissingColumnError, QueryError
from terraseek.request import SearchRequest
from terraseek.search import Query, Searcher
from terraseek.search.batch import read_queries, search_all, write_results
from terraseek.search.export.files import EXPORTS, export_bytes, write_hits
from terraseek.search.export.provenance import Provenance
from terraseek.search.export.stac import stac_items

DATES = ("2020-03-05", "2019", "2021-02", "")


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    """Eight chips; the last of each colour has neither place nor date."""
    folder = tmp_path_factory.mktemp("exports")
    lines = ["filename,caption,lon,lat,captured_at,gsd_m,country"]
    for name, colour in {"red": (220, 30, 30), "blue": (30, 50, 220)}.items():
        for number, date in enumerate(DATES):
            pixels = np.full((8, 8, 3), np.clip(np.array(colour) + 3 * number, 0, 255), np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}{number}.png")
            place = f"{10 + number},{50 - number}" if date else ","
            caption = f'"a {name} field, über 5°"'
            lines.append(f"{name}{number}.png,{caption},{place},{date},0.5,Peru")
    (folder / "items.csv").write_text("\n".join(lines), encoding="utf-8")
    import_source(folder / "items.csv", folder / "cat", name="fields")
    embed_catalogue(Catalogue.open(folder / "cat"), FakeEncoder())
    return Searcher(Catalogue.open(folder / "cat"), FakeEncoder())


def test_geoparquet_holds_every_field_and_the_places(searcher: Searcher, tmp_path: Path):
    hits = searcher.search(Query(text="red", alpha=0.3), 8).hits
    write_hits(tmp_path / "h.parquet", hits, searcher.catalogue)
    table = pq.read_table(tmp_path / "h.parquet")
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["primary_column"] == "geometry"
    for row, hit in zip(table.to_pylist(), hits, strict=True):
        assert (row["item_id"], row["score"], row["rank"]) == (hit.item_id, hit.score, hit.rank)
        assert row["matched_by"] == hit.matched_by
        if hit.lon is None:
            assert row["geometry"] is None
        else:
            point = shapely.from_wkb(row["geometry"])
            assert (point.x, point.y) == (hit.lon, hit.lat)
    assert sum(row["geometry"] is None for row in table.to_pylist()) == 2


def test_a_shard_of_hits_can_be_imported_again(searcher: Searcher, tmp_path: Path):
    hits = searcher.search(Query(text="red"), 5).hits
    write_hits(tmp_path / "hits.tar", hits, searcher.catalogue)
    report = import_source(str(tmp_path / "hits.tar"), tmp_path / "again")
    assert (report.added, report.broken) == (5, [])
    again = Catalogue.open(tmp_path / "again")
    items = again.items()
    assert items["caption"].tolist() == [hit.caption for hit in hits]
    assert items["found_as"].tolist() == [hit.item_id for hit in hits]
    assert items["country"].tolist() == ["Peru"] * 5
    np.testing.assert_allclose(items["lon"], [np.nan if h.lon is None else h.lon for h in hits])
    for hit, key in zip(hits, items["item_id"], strict=True):
        assert again.image_bytes(key) == searcher.catalogue.image_bytes(hit.item_id)


# webdataset leaves closing to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_a_shard_of_hits(searcher: Searcher, tmp_path: Path):
    import webdataset

    hits = searcher.search(Query(text="red"), 5).hits
    write_hits(tmp_path / "hits.tar", hits, searcher.catalogue)
    samples = list(webdataset.WebDataset(str(tmp_path / "hits.tar"), shardshuffle=False))
    found = [json.loads(sample["json"])["found_as"] for sample in samples]
    assert found == [hit.item_id for hit in hits]
    assert [sample["txt"].decode() for sample in samples] == [hit.caption for hit in hits]


def test_shards_are_deterministic(searcher: Searcher):
    hits = searcher.search(Query(text="red"), 3).hits
    first, second = (export_bytes(".tar", hits, searcher.catalogue) for _ in range(2))
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        names = tar.getnames()
    assert names[:3] == ["000001.png", "000001.txt", "000001.json"]


def test_stac_items_follow_the_standard(searcher: Searcher):
    hits = searcher.search(Query(text="red"), 8).hits
    collection = json.loads(json.dumps(stac_items(hits, searcher.catalogue), allow_nan=False))
    assert collection["type"] == "FeatureCollection"
    for item, hit in zip(collection["features"], hits, strict=True):
        assert (item["type"], item["stac_version"], item["id"]) == ("Feature", "1.0.0", hit.item_id)
        assert ("bbox" in item) == (item["geometry"] is not None)
        assert item["assets"]["image"]["type"] == "image/png"
        values = item["properties"]
        assert values["gsd"] == 0.5
        if values["datetime"] is None:
            start, end = (
                datetime.fromisoformat(values[f"{edge}_datetime"]) for edge in ("start", "end")
            )
            assert start < end
        else:
            assert datetime.fromisoformat(values["datetime"]).tzinfo is not None
    by_date = {hit.image[3:4]: item["properties"] for hit, item in
               zip(hits, collection["features"], strict=True) if "red" in hit.image}  # fmt: skip
    assert by_date["0"]["datetime"] == "2020-03-05T00:00:00Z"
    assert by_date["1"]["end_datetime"] == "2019-12-31T23:59:59Z"
    assert by_date["2"]["end_datetime"] == "2021-02-28T23:59:59Z"
    assert by_date["3"]["terraseek:dated"] is False


QUESTION = {"q": ["red"], "minus": ["blue"], "precision": ["exact"], "k": ["3"]}


def requests_in(extension: str, content: bytes) -> list[dict[str, str]]:
    """Query, filter, model and link wherever an exported file holds them."""
    if extension == ".csv":
        return list(csv.DictReader(io.StringIO(content.decode())))
    if extension == ".parquet":
        metadata = pq.read_schema(io.BytesIO(content)).metadata
        return [json.loads(metadata[b"terraseek"])["request"]]
    if extension == ".tar":
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            texts = [tar.extractfile(m).read() for m in tar if m.name.endswith(".json")]
        return [
            {key.removeprefix("found_by_"): value for key, value in json.loads(text).items()}
            for text in texts
        ]
    found = json.loads(content)
    if extension == ".json":
        return list(found)
    return [found["request" if extension == ".geojson" else "terraseek:request"]]


@pytest.mark.parametrize("extension", EXPORTS)
def test_every_export_carries_query_filter_model_and_link(searcher: Searcher, extension: str):
    request = SearchRequest.from_params(QUESTION)
    result = searcher.run(request)
    provenance = Provenance(request, result.encoder_id)
    content = export_bytes(extension, result.hits, searcher.catalogue, provenance)
    found = requests_in(extension, content)
    assert found
    for one in found:
        assert (one["query"], one["filter"]) == ("red minus blue", "precision=exact")
        assert one["model"] == FakeEncoder().encoder_id
        again = SearchRequest.from_params(parse_qs(urlsplit(one["link"]).query))
        assert again.to_params() == request.to_params()


def test_commands_print_the_question_too(searcher: Searcher):
    words = ["search", str(searcher.catalogue.path), "red", "--minus", "blue", "--model", "fake"]
    lines = CliRunner().invoke(build_app(), [*words, "--csv"]).stdout
    assert {row["query"] for row in csv.DictReader(io.StringIO(lines))} == {"red minus blue"}
    collection = json.loads(CliRunner().invoke(build_app(), [*words, "--geojson"]).stdout)
    assert collection["request"]["parameters"] == {"q": "red", "minus": ["blue"]}


@pytest.mark.parametrize("extension", EXPORTS)
def test_an_empty_result_can_be_exported(searcher: Searcher, extension: str):
    assert isinstance(export_bytes(extension, [], searcher.catalogue), bytes)


def test_an_unknown_extension_is_refused(searcher: Searcher, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"hits\.kml.*\.geojson.*\.tar"):
        write_hits(tmp_path / "hits.kml", [], searcher.catalogue)


QUERIES = """\ufeffID,Query,minus,k,like,other
a,red,,2,,x
,,,,,
b,"blue, bright",dark | green,,,
,red,,1,,
"""


def test_queries_are_read_from_a_csv(tmp_path: Path):
    (tmp_path / "q.csv").write_text(QUERIES, encoding="utf-8")
    queries = read_queries(tmp_path / "q.csv")
    assert [one.query_id for one in queries] == ["a", "b", "4"]
    assert [one.k for one in queries] == [2, None, 1]
    assert queries[1].query.text == "blue, bright"
    assert queries[1].query.minus == ("dark", "green")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("words\nred", MissingColumnError, "has the columns words"),
        ("", MissingColumnError, "columns none"),
        ("query\n\n", QueryError, "contains no query"),
        ("query,minus\nred,\n,red", QueryError, "query 2 is not valid: the query is empty"),
        ("query,k\nred,0", QueryError, "k is '0'"),
        ("query,alpha\nred,much", QueryError, "query 1 is not valid"),
    ],
)
def test_invalid_query_tables_are_refused(tmp_path: Path, text: str, error, message: str):
    (tmp_path / "q.csv").write_text(text)
    with pytest.raises(error, match=message):
        read_queries(tmp_path / "q.csv")


def test_a_batch_gives_the_hits_of_single_searches(searcher: Searcher, tmp_path: Path):
    (tmp_path / "q.csv").write_text(QUERIES, encoding="utf-8")
    queries = read_queries(tmp_path / "q.csv")
    where = Filter(date_to="2020")
    rows = search_all(searcher, queries, 3, where)
    single = searcher.search(queries[1].query, 3, where)
    rows_of_query = [row for row in rows if row["query_id"] == "b"]
    assert [row["item_id"] for row in rows_of_query] == [hit.item_id for hit in single.hits]
    assert [row["score"] for row in rows_of_query] == [hit.score for hit in single.hits]
    assert {row["matched"] for row in rows} == {single.matched}
    write_results(tmp_path / "r.parquet", rows)
    write_results(tmp_path / "r.csv", rows)
    table = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert table == rows
    lines = list(csv.DictReader(io.StringIO((tmp_path / "r.csv").read_text(encoding="utf-8"))))
    assert [line["item_id"] for line in lines] == [row["item_id"] for row in rows]
    assert [float(line["score"]) for line in lines] == [row["score"] for row in rows]
    with pytest.raises(ConfigError, match=r"must end with \.csv or \.parquet"):
        write_results(tmp_path / "r.xlsx", rows)


def test_the_command_exports_and_runs_batches(searcher: Searcher, tmp_path: Path):
    run, folder = CliRunner(), str(searcher.catalogue.path)
    exports = [tmp_path / f"hits{extension}" for extension in EXPORTS]
    flags = [text for path in exports for text in ("--export", str(path))]
    answer = run.invoke(build_app(), ["search", folder, "red", "-k", "3", "--json", *flags])
    assert answer.exit_code == 0, answer.output
    same = searcher.search(Query(text="red"), 3).hits
    request = SearchRequest(Query(text="red"), k=3)
    provenance = Provenance(request, FakeEncoder().encoder_id)
    assert [hit["item_id"] for hit in json.loads(answer.stdout)] == [hit.item_id for hit in same]
    for path in exports:
        kind = next(extension for extension in EXPORTS if path.name.endswith(extension))
        if kind != ".stac.json":  # holds the time it was written
            expected = export_bytes(kind, same, searcher.catalogue, provenance)
            assert path.read_bytes() == expected
    (tmp_path / "q.csv").write_text("query\nred\nblue")
    batch = ["search", folder, "--queries", str(tmp_path / "q.csv")]
    answer = run.invoke(build_app(), [*batch, "--out", str(tmp_path / "r.parquet"), "-k", "2"])
    assert answer.exit_code == 0, answer.output
    assert pq.read_table(tmp_path / "r.parquet").num_rows == 4
    with pytest.raises(ConfigError, match="must be used together"):
        run.invoke(build_app(), batch, catch_exceptions=False)


def test_the_command_accepts_feedback_and_places(searcher: Searcher):
    run, folder = CliRunner(), str(searcher.catalogue.path)

    def found(*flags: str) -> list[str]:
        answer = run.invoke(build_app(), ["search", folder, *flags, "--json"])
        assert answer.exit_code == 0, answer.output
        return [hit["item_id"] for hit in json.loads(answer.stdout)]

    first, second = found("red", "-k", "2")
    query = Query(text="bright", liked=(first,), disliked=(second,), plus=("red",), ensemble=True)
    assert found(
        "bright", "--liked", first, "--disliked", second, "--plus", "red", "--ensemble"
    ) == [hit.item_id for hit in searcher.search(query).hits]
    nearest = searcher.search(Query(near=(12.1, 48.0)), 2).hits
    assert found("--near", "12.1,48.0", "-k", "2") == [hit.item_id for hit in nearest]
    with pytest.raises(QueryError, match="give LON,LAT"):
        run.invoke(build_app(), ["search", folder, "--near", "Paris"], catch_exceptions=False)
