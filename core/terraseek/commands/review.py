"""`terraseek review export|import|stats|backup|raters|key`: reviews and raters of a catalogue."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from terraseek.commands.console import note, print_json
from terraseek.review import (
    RaterKeys,
    ReviewLog,
    import_ratings,
    item_names,
    rater_name,
    review_stats,
    write_captions,
    write_long,
    write_rs5m,
)

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["register"]

_CATALOGUE = typer.Argument(help="Folder of the catalogue.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Export, import and statistics of caption reviews.", no_args_is_help=True
    )
    group.command("export")(export_reviews)
    group.command("import")(import_reviews)
    group.command("stats")(show_stats)
    group.command("backup")(backup_reviews)
    group.command("raters")(list_raters)
    group.command("key")(make_key)
    app.add_typer(group, name="review")


def export_reviews(
    catalogue: Path = _CATALOGUE,
    out: Path | None = typer.Option(None, help="CSV in RS5M's five columns."),
    long: Path | None = typer.Option(None, help="CSV with one row per review and criterion."),
    captions: Path | None = typer.Option(None, help="CSV of accepted and edited captions."),
    rater: str | None = typer.Option(None, help="Only this rater's reviews."),
) -> None:
    """Export the latest review of each rater on each item."""
    if out is None and long is None and captions is None:
        raise typer.BadParameter("name a file: --out ratings.csv, --long long.csv or --captions")
    reviews = ReviewLog.open(catalogue).current(rater)
    if out is not None:
        note(f"{write_rs5m(reviews, out)} ratings -> {out}")
    if long is not None:
        note(f"{write_long(reviews, long)} rows -> {long}")
    if captions is not None:
        note(f"{write_captions(reviews, captions)} captions -> {captions}")


def backup_reviews(
    catalogue: Path = _CATALOGUE,
    out: Path = typer.Argument(help="File to write, for example reviews-backup.sqlite."),
) -> None:
    """Copy the review log to one file, also while it is in use."""
    note(f"{ReviewLog.open(catalogue).backup(out)} records -> {out}")


def list_raters(
    catalogue: Path = _CATALOGUE,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON list on stdout."),
) -> None:
    """List the raters, and when their keys were made; a name without key is free to be claimed."""
    log = ReviewLog.open(catalogue)
    made_at = RaterKeys(log).made_at()
    names = dict.fromkeys([*log.raters(), *made_at])
    rows = [{"rater": name, "key_made_at": made_at.get(name)} for name in names]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        note(f"{row['rater']}: {row['key_made_at'] or 'no key yet'}")


def make_key(
    catalogue: Path = _CATALOGUE,
    rater: str = typer.Argument(help="Name of the rater."),
) -> None:
    """Print a new key for a rater, who lost the old one, which is no longer valid then."""
    name = rater_name(rater)
    key = RaterKeys(ReviewLog.open(catalogue)).replace(name)
    note(f"{name} enters this key on the Review page; it is shown only now:")
    print(key)


def import_reviews(
    catalogue: Path = _CATALOGUE,
    files: list[Path] = typer.Argument(help="RS5M rating tables (CSV)."),
    rater: str | None = typer.Option(None, help="Name of the rater; by default the file name."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON list on stdout."),
) -> None:
    """Import RS5M rating tables into the review log; importing them again adds nothing."""
    log = ReviewLog.open(catalogue)
    names = _item_names(catalogue)
    reports = [import_ratings(log, file, rater, names) for file in files]
    for report in reports:
        note(
            f"{Path(report.file).name}: {report.rows} ratings by {report.rater}, "
            f"{report.added} new, {report.unknown} of images not in the catalogue (kept, but "
            "not counted)"
        )
        for problem in report.problems:
            note(f"  {problem}")
    if as_json:
        print_json([asdict(report) for report in reports])


def show_stats(
    catalogue: Path = _CATALOGUE,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object on stdout."),
) -> None:
    """Print counts, scores and agreement of raters."""
    stats = review_stats(ReviewLog.open(catalogue), _item_ids(catalogue))
    if as_json:
        print_json(stats)
    else:
        _print_tables(stats)


def _item_ids(catalogue: Path) -> set[str] | None:
    """Ids of the items of a catalogue; None if it has no items yet."""
    if not (catalogue / "items.parquet").is_file():
        return None
    from terraseek.catalogue import Catalogue

    return set(Catalogue.open(catalogue).items(["item_id"])["item_id"].astype(str))


def _item_names(catalogue: Path) -> dict[str, str]:
    """Map file names of images to item ids; empty if the catalogue has no items yet."""
    if not (catalogue / "items.parquet").is_file():
        return {}
    from terraseek.catalogue import Catalogue

    items = Catalogue.open(catalogue).items()
    return item_names({str(k): v for k, v in row.items()} for row in items.to_dict("records"))


def _print_tables(stats: dict[str, Any]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(
        f"{stats['reviews']} reviews of {stats['items']} items, {stats['events']} records"
    )
    if stats["not_in_catalogue"]:
        console.print(
            f"{stats['not_in_catalogue']} further reviews of images that are not in the catalogue "
            "are not counted."
        )
    scores = Table("criterion", *"12345", "mean", "std", "2+ raters", box=SIMPLE_HEAD)
    agreement = Table("agreement", "alpha (ordinal)", "kappa (quadratic)", "AC2", box=SIMPLE_HEAD)
    for key, row in stats["criteria"].items():
        numbers = map(_cell, (row["mean"], row["std"], row["items_with_two_raters"]))
        scores.add_row(key, *map(str, row["levels"].values()), *numbers)
        coefficients = ("krippendorff_alpha_ordinal", "quadratic_kappa", "gwet_ac2")
        agreement.add_row(key, *(_cell(row[name]) for name in coefficients))
    console.print(scores)
    _print_raters(console, stats["raters"])
    if any(row["items_with_two_raters"] for row in stats["criteria"].values()):
        console.print(agreement)
    else:
        console.print("No item has scores of two raters, so agreement cannot be measured.")


def _print_raters(console: "Console", raters: list[dict[str, Any]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    actions = ("accept", "edit", "rate", "skip")
    table = Table("rater", "items", *actions, "s per item", box=SIMPLE_HEAD)
    for rater in raters:
        counts = [str(rater["actions"].get(action, 0)) for action in actions]
        table.add_row(rater["rater"], str(rater["items"]), *counts, _cell(rater["median_seconds"]))
    console.print(table)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, int) else f"{value:.2f}"
