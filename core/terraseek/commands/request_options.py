"""Command-line options out of declared parameters, so that commands declare none of them again."""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from terraseek.commands.console import note
from terraseek.parameters import FLAG, Parameter, Params, parameters_of

__all__ = ["takes_parameters"]


def takes_parameters(
    kinds: Sequence[type], words: str = "", leave_out: Sequence[str] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each parameter of `kinds`; it receives their texts as `given`.

    Args:
        kinds: dataclasses whose fields were made by `terraseek.parameters.parameter`.
        words: name of the parameter that is the command's argument instead of an option.
        leave_out: parameters this command does not have.
    """
    known = {
        field_name: declared
        for kind in kinds
        for field_name, declared in parameters_of(kind, leave_out).items()
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters
        options = {p.name: p for name, one in known.items() for p in _options(name, one, words)}

        def run(**values: Any) -> None:  # noqa: ANN401 - whatever typer hands over
            texts = {name: values.pop(name) for name in options}
            command(**values, given=_given(known, texts))

        keyword = inspect.Parameter.KEYWORD_ONLY
        places = [own[name].replace(kind=keyword) for name in own if name != "given"]
        argument = [
            p for p in options.values() if known.get(p.name) and known[p.name].name == words
        ]
        rest = [p for p in options.values() if p not in argument]
        signature = [*places[:1], *argument, *rest, *places[1:]]
        run.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in signature}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _options(field_name: str, known: Parameter, words: str) -> list[inspect.Parameter]:
    """The option of a parameter, and a hidden one for each of its former names."""
    about = _help(known)
    kind = _kind(known)
    default = False if known.codec is FLAG else None
    keyword = inspect.Parameter.KEYWORD_ONLY
    if known.name == words:
        words_type = Annotated[kind, typer.Argument(help=about, metavar="WORDS")]  # type: ignore[valid-type]
        return [inspect.Parameter(field_name, keyword, default=None, annotation=words_type)]
    names = {field_name: known.name} | {f"former_{n}": n for n in known.former_options}
    return [
        inspect.Parameter(
            python_name,
            keyword,
            default=default,
            annotation=Annotated[kind, _info(name, about, known, python_name != field_name)],
        )
        for python_name, name in names.items()
    ]


def _help(known: Parameter) -> str:
    about = known.help[:1].upper() + known.help[1:]
    if known.repeatable:
        return f"{about}; repeatable."
    if not known.default:
        return about if about.endswith(".") else f"{about}."
    return f"{about}; default {known.codec.write(known.default)}."


def _info(name: str, about: str, known: Parameter, hidden: bool) -> Any:  # noqa: ANN401
    option = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
    metavar = known.codec.metavar or None
    return typer.Option(option, help=about, metavar=metavar, hidden=hidden)


def _kind(known: Parameter) -> Any:  # noqa: ANN401 - a type for typer
    if known.codec is FLAG:
        return bool
    return list[str] | None if known.repeatable else str | None


def _given(known: dict[str, Parameter], texts: dict[str, Any]) -> Params:
    """The texts of the options that were given, by parameter name."""
    given: dict[str, list[str]] = {}
    for field_name, declared in known.items():
        names = (field_name, *(f"former_{name}" for name in declared.former_options))
        for name in names:
            value = texts[name]
            if value in (None, False, []):
                continue
            if name != field_name:
                old, new = (n.replace("_", "-") for n in (name[7:], declared.name))
                note(f"--{old} is now --{new}; the old name will go with the next release")
            found = ["1"] if value is True else [value] if isinstance(value, str) else value
            given.setdefault(declared.name, []).extend(found)
    return given
