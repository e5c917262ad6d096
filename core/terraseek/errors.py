"""All exceptions that TerraSeek raises deliberately.

TerraSeekError
├── InputError                 input that cannot be used as it is
│   ├── SceneError             an image or raster
│   │   ├── NotAnImageError
│   │   ├── TruncatedImageError
│   │   ├── SceneTooLargeError
│   │   ├── SceneTooSlowError
│   │   ├── EmptySceneError
│   │   ├── NoValidPixelsError
│   │   └── UnsupportedSceneError
│   ├── OutsideSceneError      a place in degrees that a scene does not contain
│   ├── QueryError             the sentence, image or item of a query
│   │   └── EmptyQueryError
│   ├── BBoxError
│   ├── FilterError
│   ├── LatticeError           window scales or strides of a scene
│   ├── AnnotationError        annotation, caption or rating files
│   ├── SourceError            a source to import
│   │   ├── UnknownSourceError
│   │   └── MissingColumnError
│   └── ConfigError            a setting, named in the message
├── CatalogueError
│   ├── CatalogueNotFoundError
│   ├── CatalogueExistsError
│   └── ItemNotFoundError
├── StoreError
│   ├── StoreNotFoundError
│   ├── EncoderMismatchError
│   ├── StoreCorruptError
│   └── EngineError            a vector database that cannot be reached, or refuses a request
├── ModelError
│   ├── UnknownModelError
│   ├── WeightsNotFoundError
│   ├── WeightsChecksumError
│   └── WeightsLayoutError
├── ReviewError
│   └── RaterKeyError          the key does not belong to this rater
├── TaskError                  no cluster for tasks, or its workers cannot be started
├── OutputError                a result that cannot be written: disk full, folder not writable
├── MissingExtraError          an optional dependency; the message has the pip command
├── ServerBusyError            the server has no room for another expensive request
│   └── TooManyRequestsError   nor will it serve this client at once
└── Cancelled                  raised by a progress callback to stop a job

A message says what is wrong, which value, and what to do next, in one or two sentences. The command
line prints it on one line and exits with code 2; the app shows it unchanged.
"""


class TerraSeekError(Exception):
    """Base class of all deliberate errors; the message can be shown to a user."""


class InputError(TerraSeekError):
    """Input of the user cannot be used as it is."""


class SceneError(InputError):
    """An image or raster cannot be used as a scene."""


class NotAnImageError(SceneError):
    """The file is not a raster or image that can be decoded."""


class TruncatedImageError(SceneError):
    """The file starts like an image but is cut short or damaged."""


class SceneTooLargeError(SceneError):
    """The file size or the number of pixels exceeds the configured limit."""


class SceneTooSlowError(SceneError):
    """Decoding the file takes more processor time than the configured limit."""


class EmptySceneError(SceneError):
    """The file has no bytes or no pixels."""


class NoValidPixelsError(SceneError):
    """Every pixel is nodata, NaN or transparent."""


class UnsupportedSceneError(SceneError):
    """The raster is valid but of a kind that contains no image."""


class OutsideSceneError(InputError):
    """A place in degrees is outside the scene, or the scene has no georeference."""


class QueryError(InputError):
    """A query cannot be answered."""


class EmptyQueryError(QueryError):
    """The sentence is empty or blank."""


class BBoxError(InputError):
    """A bounding box is malformed or out of range."""


class FilterError(InputError):
    """A filter has an invalid value, or names a source, label or column that does not exist."""


class LatticeError(InputError):
    """Window scales or strides do not give a lattice of windows."""


class AnnotationError(InputError):
    """An annotation, caption or rating file does not follow its format."""


class SourceError(InputError):
    """A source to import cannot be read."""


class UnknownSourceError(SourceError):
    """No reader supports this kind of source."""


class MissingColumnError(SourceError):
    """A table lacks a column that the reader needs."""


class ConfigError(InputError):
    """A setting is unknown or has an invalid value."""


class CatalogueError(TerraSeekError):
    """A catalogue cannot be used."""


class CatalogueNotFoundError(CatalogueError):
    """There is no catalogue at this path."""


class CatalogueExistsError(CatalogueError):
    """The target exists and is not a catalogue."""


class ItemNotFoundError(CatalogueError):
    """No item of the catalogue has this id."""


class StoreError(TerraSeekError):
    """Stored vectors cannot be used."""


class StoreNotFoundError(StoreError):
    """The catalogue has no vectors of this encoder."""


class EncoderMismatchError(StoreError):
    """The query vector and the stored vectors come from different encoders."""


class StoreCorruptError(StoreError):
    """Stored vectors and their manifest do not match."""


class EngineError(StoreError):
    """The vector database of an index cannot be reached, or refuses a request."""


class ModelError(TerraSeekError):
    """An encoder cannot be built."""


class UnknownModelError(ModelError):
    """No model card has this name."""


class WeightsNotFoundError(ModelError):
    """The weights file named by the model card does not exist."""


class WeightsChecksumError(ModelError):
    """The checksum of a weights file differs from that in its model card."""


class WeightsLayoutError(ModelError):
    """A weights file lacks keys of the architecture, or has unknown ones."""


class ReviewError(TerraSeekError):
    """A review record is invalid, or the review log cannot be used."""


class RaterKeyError(ReviewError):
    """The key of a rater is missing or wrong, or the name belongs to another rater."""


class TaskError(TerraSeekError):
    """Tasks cannot be run: there is no cluster, or its workers cannot be started."""


class OutputError(TerraSeekError):
    """A result cannot be written; no partial file remains."""


class MissingExtraError(TerraSeekError):
    """An optional dependency is not installed."""


class ServerBusyError(TerraSeekError):
    """The server has no room for another expensive request; the client may try again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        """Keep the seconds after which the client may try again."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooManyRequestsError(ServerBusyError):
    """One client sends more expensive requests, or more data, than its share."""


class Cancelled(TerraSeekError):
    """A progress callback stopped the job; no partial file remains."""
