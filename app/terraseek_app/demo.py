"""The demo: a synthetic world as a catalogue with embeddings; unchanged parts are reused."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import terraseek
from terraseek.files import home, read_json, sha256_of, write_json
from terraseek.progress import Progress, silent

__all__ = ["DEFAULT_CHIPS", "Demo", "prepare"]

DEFAULT_CHIPS = 3000
"""Number of images in the demo world."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Demo:
    """Paths of the parts of the demo."""

    folder: Path
    """Holds all parts; a folder of its own for each version of TerraSeek."""

    @property
    def world(self) -> Path:
        """Chips, captions and scenes as the generator wrote them."""
        return self.folder / "world"

    @property
    def scenes(self) -> Path:
        """Large scenes with annotations."""
        return self.world / "scenes"

    @property
    def catalogue(self) -> Path:
        """The chips as a catalogue."""
        return self.folder / "demo-world"

    @property
    def import_record(self) -> Path:
        """JSON file with the hash of the table that the catalogue was imported from."""
        return self.folder / "catalogue-of.json"


def prepare(
    model: str,
    chips: int = DEFAULT_CHIPS,
    folder: Path | None = None,
    progress: Progress = silent,
) -> Demo:
    """Generate, import and embed the demo world; finished steps of an earlier call are reused.

    Args:
        model: name of the encoder.
        chips: number of images in the world.
        folder: where to keep the demo; default: a folder in TerraSeek's home folder.
        progress: progress callback.
    """
    demo = Demo(folder or home() / f"demo-{terraseek.__version__}")
    _generate_world(demo, chips, progress)
    _import_catalogue(demo, progress)
    _embed(demo, model, progress)
    return demo


def _generate_world(demo: Demo, chips: int, progress: Progress) -> None:
    import terraseek_demoworld

    settings = {
        "chips": chips,
        "seed": SEED,
        "terraseek": terraseek.__version__,
        "generator": _source_hash(Path(terraseek_demoworld.__file__).parent),
    }
    # the About page recognizes a demo catalogue by this file
    record = demo.folder / "demo.json"
    if record.is_file() and read_json(record) == settings and (demo.world / "demo.json").is_file():
        return
    record.unlink(missing_ok=True)
    shutil.rmtree(demo.world, ignore_errors=True)
    demo.folder.mkdir(parents=True, exist_ok=True)
    terraseek_demoworld.build(demo.world, chips=chips, seed=SEED, progress=progress)
    write_json(record, settings)


def _source_hash(package: Path) -> str:
    """Hash of the generator's code; a change of it generates the world again."""
    import hashlib

    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _import_catalogue(demo: Demo, progress: Progress) -> None:
    from terraseek.catalogue import import_source

    items = demo.world / "items.csv"
    source = {"items": sha256_of(items)}
    if demo.import_record.is_file() and read_json(demo.import_record) == source:
        return
    demo.import_record.unlink(missing_ok=True)
    shutil.rmtree(demo.catalogue, ignore_errors=True)
    import_source(items, demo.catalogue, name="TerraSeek demo world", progress=progress)
    write_json(demo.import_record, source)


def _embed(demo: Demo, model: str, progress: Progress) -> None:
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.embed import embed_catalogue
    from terraseek.encoders.load import load_encoder

    # items that are embedded already are skipped
    embed_catalogue(Catalogue.open(demo.catalogue), load_encoder(model), progress)
