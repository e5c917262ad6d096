"""`terraseek serve` and `terraseek demo`."""

from pathlib import Path

import typer

from terraseek.commands.console import bar, note

__all__ = ["register"]

_HOST = typer.Option("127.0.0.1", help="Address to listen on; 0.0.0.0 opens it to the network.")
_PORT = typer.Option(8501, min=1, max=65535, help="Port of pages, tiles and API.")
_BROWSER = typer.Option(True, "--browser/--no-browser", help="Open a browser when ready.")
_CATALOGUE = typer.Argument(help="Folder of an embedded catalogue.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(_serve)
    app.command("demo")(_demo)


def _serve(
    catalogue: Path = _CATALOGUE,
    model: str | None = typer.Option(
        None, help="Encoder; default: the one the catalogue is embedded with."
    ),
    scenes: Path | None = typer.Option(None, help="Folder of example scenes."),
    host: str = _HOST,
    port: int = _PORT,
    browser: bool = _BROWSER,
    reload: bool = typer.Option(False, "--reload", help="Rerun pages when their code changes."),
    max_upload_mb: int = typer.Option(500, min=1, help="Largest upload in megabytes."),
) -> None:
    """Serve a catalogue: map, search, localization, review and the HTTP API on one port."""
    from terraseek_app.launch import ServeOptions, model_for, serve

    chosen = model_for(catalogue, model)
    options = ServeOptions(catalogue, chosen, scenes, host, port, browser, reload, max_upload_mb)
    serve(options, note)


def _demo(
    home: Path | None = typer.Option(None, help="Where to keep the demo world."),
    chips: int = typer.Option(3000, min=50, help="Number of images in the demo world."),
    model: str | None = typer.Option(None, help="Encoder; default: the one TerraSeek ships."),
    start: bool = typer.Option(True, "--serve/--no-serve", help="Start the server when built."),
    host: str = _HOST,
    port: int = _PORT,
    browser: bool = typer.Option(False, "--browser/--no-browser", help="Open a browser."),
) -> None:
    """Build the synthetic demo world once and serve it."""
    from terraseek.encoders.registry import DEFAULT_MODEL
    from terraseek_app.demo import prepare
    from terraseek_app.launch import ServeOptions, serve

    chosen = model or DEFAULT_MODEL
    with bar() as progress:
        demo = prepare(chosen, chips, home, progress)
    note(f"The demo world is in {demo.folder}. It is synthetic: drawn, not photographed.")
    if start:
        serve(ServeOptions(demo.catalogue, chosen, demo.scenes, host, port, browser), note)
