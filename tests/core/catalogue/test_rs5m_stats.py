"""Statistics of RS5M's tables and figures, ratings by subset, lists of outliers."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.catalogue.metadata.rs_keywords import APPLICATIONS, KEYWORDS, NOUNS, caption_keywords
from terraseek.catalogue.outliers import mark_outliers, read_names, write_outliers
from terraseek.catalogue.rs5m_stats import PUBLISHED, rs5m_stats
from terraseek.cli import build_app
from terraseek.errors import AnnotationError
from terraseek.review.subset_ratings import subset_ratings

TABLE = """img_name,text,entity,country,month,latitude,longitude,utm
laion2b_0_0,Aerial view of Oslo by Landsat,"['Oslo', 'Norway']",,,,,
laion2b_0_1,aerial photos,"['Oslo']",,,,,
coyo700m_1_1,nothing to see,[],,,,,
fmow_port_1_rgb.jpg,a port with ships,,Benin,July,6.36,2.43,31N
fmow_port_2_rgb.jpg,,,Benin,July,6.37,2.44,31N
ben_17.jpg,green fields,,,May,,,29N
"""
RATINGS = """image_path,description,relevance_detail,hallucination,fluency
static/ben_1.jpg,x,4,5,5
static/ben_2.jpg,x,2,,5.0
static/fmow_port_1_rgb.jpg,x,5,9,3
"""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stats")
    (folder / "rs5m.csv").write_text(TABLE, encoding="utf-8")
    (folder / "ratings_1.csv").write_text(RATINGS, encoding="utf-8")
    import_source(folder / "rs5m.csv", folder / "cat")
    return folder / "cat"


def test_counts_of_the_paper(catalogue: Path):
    counts = rs5m_stats(Catalogue.open(catalogue))
    assert {k: row["items"] for k, row in counts["subset"].items()} == {
        "laion2b": 2,
        "fmow": 2,
        "coyo700m": 1,
        "ben": 1,
    }
    fmow, laion = counts["subset"]["fmow"], counts["subset"]["laion2b"]
    assert (fmow["captions"], fmow["located"], fmow["most_words"]) == (1, 2, 4)
    assert (laion["mean_words"], laion["median_words"]) == (4.0, 4.0)
    assert counts["country"]["Benin"] == 2
    assert counts["month"] == {"": 3, "7": 2, "5": 1}
    # the town of the entities has the zone of its coordinates
    assert counts["utm_zone"] == {"32V": 1, "31N": 2, "29": 1} | {
        zone: n for zone, n in counts["utm_zone"].items() if zone == "32V"
    }
    assert counts["entity"] == {"Oslo": 2, "Norway": 1}
    assert (counts["with_entities"], counts["with_keyword"]) == (2, 2)
    assert counts["keyword"] == {"aerial photo": 1, "aerial view": 1, "landsat": 1}
    assert counts["words"] == {"0 to 9": 5}


def test_published_subsets_sum_to_the_published_total():
    assert sum(PUBLISHED["items_by_subset"].values()) == PUBLISHED["items"]


def test_keywords_are_stems_searched_without_case():
    assert (len(NOUNS), len(APPLICATIONS), len(set(KEYWORDS))) == (27, 17, 44)
    assert caption_keywords("AERIAL IMAGERY of a space-borne viewpoint") == [
        "aerial imag",
        "space-borne view",
    ]
    assert caption_keywords("an aeroplane") == []


def test_ratings_by_subset(catalogue: Path):
    found = subset_ratings([catalogue.parent / "ratings_1.csv"])
    assert list(found) == ["all", "ben", "fmow"]
    assert found["all"]["captions"] == 3
    assert found["all"]["relevance_detail"] == {"mean": 3.67, "scores": 3}
    assert found["ben"]["hallucination"] == {"mean": 5.0, "scores": 1}
    assert found["fmow"]["hallucination"] == {"mean": None, "scores": 0}
    (catalogue.parent / "bad.csv").write_text("image_path,description\na,b\n")
    with pytest.raises(AnnotationError, match="no column fluency"):
        subset_ratings([catalogue.parent / "bad.csv"])


def test_the_command_prints_both_figures(catalogue: Path):
    options = ["stats", str(catalogue), "--rs5m", "--ratings"]
    ratings = str(catalogue.parent / "ratings_1.csv")
    shown = CliRunner().invoke(build_app(), [*options, ratings])
    assert shown.exit_code == 0, shown.output
    (row,) = [line.split() for line in shown.stdout.splitlines() if line.startswith("laion2b")]
    assert row[:3] == ["laion2b", "2", "1,060,779"]
    assert "4.41 / 4.54 / 4.80" in shown.stdout
    as_json = json.loads(CliRunner().invoke(build_app(), [*options, ratings, "--json"]).stdout)
    assert as_json["published"]["ratings"]["fmow"] == [617, 4.85, 4.87, 4.98]
    assert as_json["ratings"]["ben"]["relevance_detail"]["mean"] == 3.0
    refused = CliRunner().invoke(build_app(), ["stats", str(catalogue), "--ratings", ratings])
    assert refused.exit_code != 0


def test_outlier_lists_in_and_out(catalogue: Path, tmp_path: Path):
    (tmp_path / "list.txt").write_text("laion2b_0_1.jpg\n17\nnobody\n\n")
    (tmp_path / "list.csv").write_text("img_name,score\nfmow_port_2_rgb.jpg,0.1\n")
    assert read_names(tmp_path / "list.csv") == ["fmow_port_2_rgb.jpg"]
    assert mark_outliers(catalogue, read_names(tmp_path / "list.txt")) == (2, 1)
    assert mark_outliers(catalogue, read_names(tmp_path / "list.csv")) == (3, 0)
    kept = Catalogue.open(catalogue).items(["img_name"], Filter(sql="outlier IS NULL"))
    assert kept["img_name"].tolist() == ["laion2b_0_0", "coyo700m_1_1", "fmow_port_1_rgb.jpg"]
    assert write_outliers(catalogue, tmp_path / "out.txt") == 3
    assert sorted(read_names(tmp_path / "out.txt")) == [
        "ben_17.jpg",
        "fmow_port_2_rgb.jpg",
        "laion2b_0_1",
    ]
    assert mark_outliers(catalogue, [], clear=True) == (0, 0)
    assert "outlier" not in Catalogue.open(catalogue).columns
