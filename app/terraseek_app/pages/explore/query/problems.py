"""What is wrong with the form, by the field that caused it."""

from dataclasses import dataclass, field

from terraseek.catalogue import Filter
from terraseek.errors import EmptyQueryError, FilterError, TerraSeekError
from terraseek_app.pages.explore.query.parts import query_parts
from terraseek_app.pages.explore.state import SearchForm
from terraseek_app.server import state
from terraseek_app.server.query_images import is_kept

__all__ = ["Problems", "find_problems", "part_problems"]


@dataclass(frozen=True, slots=True)
class Problems:
    """Messages about a form that cannot be searched."""

    parts: dict[str, str] = field(default_factory=dict)
    """Key of a part of the query -> what is wrong with it."""
    sql: str = ""
    """What is wrong with the SQL condition."""
    other: TerraSeekError | None = None
    """An error of no single field."""

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.parts or self.sql or self.other)


def part_problems(form: SearchForm) -> dict[str, str]:
    """Images and items of the query that are gone: key of the part -> message."""
    found: dict[str, str] = {}
    for part in query_parts(form):
        if part.kind == "image" and not is_kept(part.value):
            found[part.key] = (
                "An image of this search is no longer kept on this server "
                f"({part.value}); upload it again."
            )
        if part.kind == "item":
            try:
                state.catalogue().row(part.value)
            except TerraSeekError as error:
                found[part.key] = f"The search refers to an item that is gone: {error}."
    return found


def find_problems(form: SearchForm, error: TerraSeekError) -> Problems:
    """Fields that caused an error of a search or a count."""
    if isinstance(error, EmptyQueryError):
        return Problems(other=error)
    if isinstance(error, FilterError) and form.where:
        try:
            state.catalogue().mask(Filter(sql=form.where))
        except FilterError as cause:
            return Problems(sql=str(cause))
    return Problems(other=error)
