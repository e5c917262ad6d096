"""Every error TerraSeek raises on purpose.

TerraSeekError
├── InputError                 what the user gave cannot be used as it is
│   ├── SceneError             an image or raster
│   │   ├── NotAnImageError
│   │   ├── TruncatedImageError
│   │   ├── SceneTooLargeError
│   │   ├── EmptySceneError
│   │   ├── NoValidPixelsError
│   │   └── UnsupportedSceneError
│   ├── QueryError             a sentence, image or item asked for
│   │   └── EmptyQueryError
│   ├── BBoxError
│   ├── FilterError
│   ├── LatticeError           window scales or strides
│   ├── AnnotationError        anno.json, caption or rating files
│   ├── SourceError            something to import
│   │   ├── UnknownSourceError
│   │   └── MissingColumnError
│   └── ConfigError            a setting, with its name
├── CatalogueError
│   ├── CatalogueNotFoundError
│   ├── CatalogueExistsError
│   └── ItemNotFoundError
├── StoreError
│   ├── StoreNotFoundError
│   ├── EncoderMismatchError
│   └── StoreCorruptError
├── ModelError
│   ├── UnknownModelError
│   ├── WeightsNotFoundError
│   ├── WeightsChecksumError
│   └── WeightsLayoutError
├── ReviewError
├── OutputError                a result that cannot be written: disk full, folder not writable
├── MissingExtraError          an optional dependency, with the pip command
└── Cancelled                  the caller's progress callback asked to stop

A message says what is wrong, which value, and what to do next, in one or two sentences.
The command line prints it as one line and exits with 2; the app shows it as it is.
"""


class TerraSeekError(Exception):
    """Base of all errors raised on purpose; its text is fit to be shown to a user."""


class InputError(TerraSeekError):
    """What the user gave cannot be used as it is."""


class SceneError(InputError):
    """An image or raster cannot be used as a scene."""


class NotAnImageError(SceneError):
    """The file is no raster or image that can be decoded."""


class TruncatedImageError(SceneError):
    """The file starts like an image and ends too early."""


class SceneTooLargeError(SceneError):
    """The file or its pixel count is beyond the configured limit."""


class EmptySceneError(SceneError):
    """The file has no bytes or no pixels."""


class NoValidPixelsError(SceneError):
    """Every pixel is nodata, NaN or transparent."""


class UnsupportedSceneError(SceneError):
    """The raster is valid but of a kind that has no image in it."""


class QueryError(InputError):
    """A query cannot be answered."""


class EmptyQueryError(QueryError):
    """The sentence is empty or blank."""


class BBoxError(InputError):
    """A bounding box is malformed or out of range."""


class FilterError(InputError):
    """A filter names something that does not exist or cannot be compared."""


class LatticeError(InputError):
    """Window scales or strides that no lattice can be made of."""


class AnnotationError(InputError):
    """An annotation, caption or rating file that does not follow its layout."""


class SourceError(InputError):
    """Something to import cannot be read."""


class UnknownSourceError(SourceError):
    """No reader knows this kind of source."""


class MissingColumnError(SourceError):
    """A table lacks a column the reader needs."""


class ConfigError(InputError):
    """A setting is unknown or has a value that cannot be used."""


class CatalogueError(TerraSeekError):
    """A catalogue cannot be used."""


class CatalogueNotFoundError(CatalogueError):
    """There is no catalogue at this path."""


class CatalogueExistsError(CatalogueError):
    """The target exists and is something else than a catalogue."""


class ItemNotFoundError(CatalogueError):
    """No item of the catalogue has this id."""


class StoreError(TerraSeekError):
    """Stored vectors cannot be used."""


class StoreNotFoundError(StoreError):
    """The catalogue has no vectors of this encoder."""


class EncoderMismatchError(StoreError):
    """Vectors of one encoder were asked with a query of another."""


class StoreCorruptError(StoreError):
    """Stored vectors and their manifest disagree."""


class ModelError(TerraSeekError):
    """An encoder cannot be built."""


class UnknownModelError(ModelError):
    """No model card has this name."""


class WeightsNotFoundError(ModelError):
    """The card names a weights file that is not there."""


class WeightsChecksumError(ModelError):
    """A weights file is not the one its card describes."""


class WeightsLayoutError(ModelError):
    """A weights file lacks keys, or has keys the architecture does not know."""


class ReviewError(TerraSeekError):
    """A review record cannot be taken or read."""


class OutputError(TerraSeekError):
    """A result cannot be written; nothing half-written is left behind."""


class MissingExtraError(TerraSeekError):
    """An optional dependency is not installed."""


class Cancelled(TerraSeekError):
    """The caller's progress callback asked to stop; nothing half-written is left behind."""
