"""The demo: a synthetic world, imported and embedded once, and only what changed done again."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import terraseek
from terraseek.files import home, read_json, sha256_of, write_json
from terraseek.progress import Progress, silent

__all__ = ["DEFAULT_CHIPS", "Demo", "prepare"]

DEFAULT_CHIPS = 3000
SEED = 0


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the parts of the demo lie."""

    folder: Path
    """Everything of this version."""

    @property
    def world(self) -> Path:
        """Chips, captions and scenes as the generator wrote them."""
        return self.folder / "world"

    @property
    def scenes(self) -> Path:
        """Large scenes with truth."""
        return self.world / "scenes"

    @property
    def catalogue(self) -> Path:
        """The chips as a catalogue."""
        return self.folder / "demo-world"

    @property
    def made_from(self) -> Path:
        """Which world the catalogue was imported from."""
        return self.folder / "catalogue-of.json"


def prepare(
    model: str,
    chips: int = DEFAULT_CHIPS,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Demo:
    """Build, import and embed what is missing; an interrupted start goes on where it stopped.

    Args:
        model: name of the encoder.
        chips: how many images the world has.
        folder: where to keep it; under the user's TerraSeek folder unless given.
    """
    demo = Demo(folder or home() / f"demo-{terraseek.__version__}")
    _world(demo, chips, progress)
    _catalogue(demo, progress)
    _vectors(demo, model, progress)
    return demo


def _world(demo: Demo, chips: int, progress: Progress) -> None:
    import terraseek_demoworld

    wanted = {
        "chips": chips,
        "seed": SEED,
        "terraseek": terraseek.__version__,
        "generator": _generator_hash(Path(terraseek_demoworld.__file__).parent),
    }
    note = demo.folder / "demo.json"  # also tells pages that this is the demo
    if note.is_file() and read_json(note) == wanted and (demo.world / "demo.json").is_file():
        return
    note.unlink(missing_ok=True)
    shutil.rmtree(demo.world, ignore_errors=True)
    demo.folder.mkdir(parents=True, exist_ok=True)
    terraseek_demoworld.build(demo.world, chips=chips, seed=SEED, progress=progress)
    write_json(note, wanted)


def _generator_hash(package: Path) -> str:
    """Changes when the generator's code does, so that an upgrade redraws the world."""
    import hashlib

    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _catalogue(demo: Demo, progress: Progress) -> None:
    from terraseek.catalogue import import_source

    source = {"items": sha256_of(demo.world / "items.csv")}
    if demo.made_from.is_file() and read_json(demo.made_from) == source:
        return
    demo.made_from.unlink(missing_ok=True)
    shutil.rmtree(demo.catalogue, ignore_errors=True)
    import_source(
        demo.world / "items.csv", demo.catalogue, name="TerraSeek demo world", progress=progress
    )
    write_json(demo.made_from, source)


def _vectors(demo: Demo, model: str, progress: Progress) -> None:
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.embed import embed_catalogue
    from terraseek.encoders.load import load_encoder

    # already embedded items are not encoded again, so this is quick on a second start
    embed_catalogue(Catalogue.open(demo.catalogue), load_encoder(model), progress)
