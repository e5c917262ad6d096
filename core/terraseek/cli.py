"""Command line `terraseek`: loads the commands of all packages and prints errors on one line."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

import typer

from terraseek.commands.foreign_errors import describe
from terraseek.errors import TerraSeekError
from terraseek.version import __version__

__all__ = ["build_app", "empty_app", "main", "run"]

_COMMAND_MODULES = ("models", "catalogue", "changes", "index", "localize", "review", "doctor")


def empty_app(name: str, about: str) -> typer.Typer:
    """Create a command line without commands, with common settings."""
    return typer.Typer(
        name=name,
        help=about,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def build_app() -> typer.Typer:
    """Create the command line, with the commands that other packages add through entry points."""
    app = empty_app(
        "terraseek", "Search remote-sensing imagery with words, and see where a sentence is true."
    )

    @app.callback(invoke_without_command=True)
    def root(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
        if version:
            print(__version__)
            raise typer.Exit()

    for module in _COMMAND_MODULES:
        import_module(f"terraseek.commands.{module}").register(app)
    for point in sorted(entry_points(group="terraseek.commands"), key=lambda p: p.name):
        point.load()(app)
    return app


def main() -> None:
    """Run the command line; entry point of `terraseek`."""
    run(build_app)


def run(build: Callable[[], typer.Typer]) -> None:
    """Run a command line; expected errors give one line on stderr and exit code 2."""
    try:
        build()(standalone_mode=True)
    except TerraSeekError as error:
        sys.stderr.write(f"terraseek: {' '.join(str(error).split())}\n")
        sys.exit(2)
    except BrokenPipeError:
        # the reader of a pipe (head, less) has closed it; redirect stdout so that exit is silent
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("terraseek: interrupted; finished work is kept\n")
        sys.exit(130)
    except Exception as error:  # the only place that does; see `foreign_errors`
        line = describe(error)
        if line is None:
            raise
        sys.stderr.write(f"terraseek: {' '.join(line.split())}\n")
        sys.exit(2)
