"""Queries in words that captions do not use.

`python benchmarks/language.py [--model NAME]... [--json] [--verbose]`

Sixty queries of four kinds (synonyms, paraphrases, whole sentences, misspelt words) search a
captioned set with known scene classes, RSICD's validation split. Each query means one class, or one
of a few that are hard to distinguish. No parameter was chosen by these figures.

`in_top_5`     percentage of queries with an image of the class among the first five
`precision_5`  percentage of the first five images that are of the class
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import typer
from common import report
from jaxtyping import Float32

from terraseek.encoders.base import Encoder
from terraseek.encoders.load import load_encoder
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek_train.data.sources import open_images, pair_images, read_captions
from terraseek_train.evaluate.encode import encode_named

QUERIES: dict[str, dict[str, str]] = {
    "synonym": {
        "aeroplanes": "airport",
        "aerodrome": "airport",
        "cathedral": "church",
        "woods": "forest",
        "woodland": "forest",
        "jungle": "forest",
        "lorries": "industrial parking",
        "motorway interchange": "viaduct",
        "flyover": "viaduct",
        "seashore": "beach",
        "quay with vessels": "port",
        "marina": "port",
        "yachts": "port",
        "automobiles": "parking",
        "soccer pitch": "playground stadium school",
        "sand dunes": "desert",
        "ploughed land": "farmland",
        "fuel depot": "storagetanks",
        "silos": "storagetanks",
        "plaza": "square center",
    },
    "paraphrase": {
        "where trains stop": "railwaystation",
        "where people catch a flight": "airport",
        "children learn to read and write here": "school",
        "a place to pray": "church",
        "a place where cargo is unloaded from the sea": "port",
        "where cars are left while shopping": "parking commercial",
        "a way to get over the water": "bridge",
        "bowl shaped building for watching matches": "stadium",
        "holiday makers stay here and swim": "resort beach",
        "crops are grown here": "farmland",
        "nothing grows here, only sand": "desert bareland",
        "peaks covered with snow": "mountain",
        "goods are manufactured here": "industrial",
        "many families live close together": "denseresidential mediumresidential",
        "only a few homes stand here": "sparseresidential",
        "fresh water standing still": "pond",
        "a stream flowing to the sea": "river",
        "a diamond of dirt and grass for a ball game": "baseballfield",
        "petroleum is kept in round containers": "storagetanks",
        "people stroll among lawns and trees": "park",
    },
    "sentence": {
        "Please show me all pictures in which passenger jets wait next to a terminal.": "airport",
        "I am looking for a place where waves roll up to bright sand.": "beach",
        "Find stations with many parallel railway lines and platforms.": "railwaystation",
        "The image should contain hundreds of vehicles standing in rows.": "parking",
        "We need scenes of big ships lying alongside a wharf.": "port",
        "Is there a large oval arena with seats around a green pitch?": "stadium",
        "A dense carpet of tree crowns covers the whole area.": "forest",
        "Several cylindrical containers for oil stand close to each other.": "storagetanks",
        "Roads on different levels cross each other in big loops.": "viaduct",
        "Rocky ridges and deep valleys without any houses.": "mountain",
    },
    "misspelt": {
        "airprot with planes": "airport",
        "bassball field": "baseballfield",
        "bridg over a rivr": "bridge river",
        "dessert with sand": "desert",
        "farmlnad": "farmland",
        "forrest": "forest",
        "moutains": "mountain",
        "parkng lot": "parking",
        "stadum": "stadium",
        "storage tnaks": "storagetanks",
    },
}
"""Kind, query, and the classes it means, separated by blanks."""
_FIRST = 5


def main(
    model: list[str] = typer.Option([DEFAULT_MODEL], help="Registered encoders, one or more."),
    as_json: bool = typer.Option(False, "--json"),
    verbose: bool = typer.Option(False, help="Print the result of each query."),
) -> None:
    """Measure and print."""
    data = Path(os.environ.get("TERRASEEK_DATA", "../shared/data")) / "rsicd"
    images = open_images(data / "RSICD_images.tar")
    pairs = pair_images(read_captions(data / "dataset_rsicd.json", "val"), images)
    labels = [sample.label or "" for sample, _ in pairs]
    for name in model:
        encoder = load_encoder(name)
        vectors = encode_named(encoder, images, [stored for _, stored in pairs])
        facts: dict[str, float | int | str] = {"model": encoder.encoder_id}
        all_counts: list[int] = []
        for kind, queries in QUERIES.items():
            counts = correct_counts(encoder, vectors, labels, queries)
            facts |= figures(kind, counts)
            all_counts += counts
            if verbose:
                for (query, classes), count in zip(queries.items(), counts, strict=True):
                    print(f"{count} of {_FIRST}  {query!r} -> {classes}")
        report("language", facts | figures("all", all_counts), as_json)


def correct_counts(
    encoder: Encoder,
    vectors: Float32[np.ndarray, "n dim"],
    labels: Sequence[str],
    queries: dict[str, str],
) -> list[int]:
    """Count the first images of each query that are of a class it means."""
    scores = encoder.encode_texts(list(queries)) @ vectors.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :_FIRST]
    return [
        sum(labels[row] in classes.split() for row in rows)
        for rows, classes in zip(best, queries.values(), strict=True)
    ]


def figures(kind: str, counts: Sequence[int]) -> dict[str, float | int | str]:
    """Compute both figures of the queries of one kind."""
    return {
        f"{kind}_queries": len(counts),
        f"{kind}_in_top_5": round(100 * float(np.mean([count > 0 for count in counts])), 1),
        f"{kind}_precision_5": round(100 * float(np.mean(counts)) / _FIRST, 1),
    }


if __name__ == "__main__":
    typer.run(main)
