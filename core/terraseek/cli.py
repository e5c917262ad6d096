"""`terraseek ...`: loads the commands of every installed room and turns errors into one line."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

import typer

from terraseek import __version__
from terraseek.errors import TerraSeekError

__all__ = ["bare_app", "build_app", "main", "run"]

_ROOMS = ("models", "catalogue", "changes", "index", "localize", "review", "doctor")


def bare_app(name: str, about: str) -> typer.Typer:
    """A command line without commands, with the settings all of ours share."""
    return typer.Typer(
        name=name,
        help=about,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def build_app() -> typer.Typer:
    """The whole command line, with what training and app add through entry points."""
    app = bare_app(
        "terraseek", "Search remote-sensing imagery with words, and see where a sentence is true."
    )

    @app.callback(invoke_without_command=True)
    def root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
        if version:
            print(__version__)
            raise typer.Exit()

    for room in _ROOMS:
        import_module(f"terraseek.commands.{room}").register(app)
    for point in sorted(entry_points(group="terraseek.commands"), key=lambda p: p.name):
        point.load()(app)
    return app


def main() -> None:
    """Entry point `terraseek`."""
    run(build_app)


def run(build: Callable[[], typer.Typer]) -> None:
    """Run an app: exit code 2 and one line on stderr for every error made by what was given."""
    try:
        build()(standalone_mode=True)
    except TerraSeekError as error:
        sys.stderr.write(f"terraseek: {' '.join(str(error).split())}\n")
        sys.exit(2)
    except FileNotFoundError as error:
        sys.stderr.write(f"terraseek: no such file: {error.filename}\n")
        sys.exit(2)
    except BrokenPipeError:
        # the reader (head, less) has seen enough; point stdout elsewhere so that exit is silent
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("terraseek: interrupted; what was finished is kept\n")
        sys.exit(130)
