"""Queries in other scripts, emoji, nonsense and endless ones: answered, and doubted if unknown."""

import pytest
from PIL import Image
from typer.testing import CliRunner

from helpers.rasters import random_rgb
from terraseek.catalogue import Catalogue, import_source
from terraseek.cli import build_app
from terraseek.commands.search import _note_cut_off
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.vocabulary import WORDS, mostly_unknown

KNOWN = {WORDS: "airport forest plane river satellite image"}
UNKNOWN = [
    "机场上的飞机",
    "河流",
    "مطار به طائرات",
    "نهر",
    "аэропорт",
    "река",
    "飛行場",
    "😀🚀",
    "qwxz brtk plomf",
]
ODD = [*UNKNOWN, 'O\'Hare "quoted"; DROP TABLE items', "{c} %s", "<|endoftext|>", "word " * 10_000]


@pytest.mark.parametrize("text", UNKNOWN)
def test_other_scripts_are_unknown_to_a_model_with_a_vocabulary(text):
    assert mostly_unknown([text], KNOWN)
    assert not mostly_unknown([text, "a forest"], KNOWN)  # one wording that is known
    assert not mostly_unknown([text], {})


@pytest.mark.parametrize("text", ["a river", "a satellite image of an airport", "747", "an ox"])
def test_english_is_not(text):
    assert not mostly_unknown([text], KNOWN)


def test_every_query_is_answered_on_the_command_line(tmp_path):
    folder = tmp_path / "f"
    folder.mkdir()
    for n in range(3):
        Image.fromarray(random_rgb(40, 40, n)).save(folder / f"{n}.png")
    import_source(folder, tmp_path / "cat")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    for text in ODD:
        for words in (
            ["search", str(tmp_path / "cat"), text, "-k", "1", "--model", "fake", "--json"],
            ["localize", str(folder / "0.png"), text, "--model", "fake", "--no-cache", "--json"],
        ):
            done = CliRunner().invoke(build_app(), words)
            assert done.exit_code == 0, (text[:40], done.output[:300], done.exception)
            assert "Traceback" not in done.output


def test_a_search_says_that_a_sentence_is_cut_off(capsys):
    class Short(FakeEncoder):
        def token_count(self, text):
            return len(text.split()), 40

    _note_cut_off(Short(), ["word " * 10_000, "short"])
    assert capsys.readouterr().err == (
        "the sentence has 10000 tokens, only the first 40 are read; shorten it\n"
    )
