"""The figures of the significance benchmark as JSON values and as a table."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from terraseek.significance.model import Kind, SignificanceModel

if TYPE_CHECKING:
    from terraseek_train.evaluate.significance.measure import Pair

__all__ = ["results_of", "table_lines"]

_DIGITS = 4


def results_of(
    pairs: Mapping[str, Sequence["Pair"]], models: Mapping[Kind, SignificanceModel]
) -> dict[str, Any]:
    """Figures, statistics compared on the choosing half, and the models, by kind."""
    from terraseek_train.evaluate.significance.measure import candidate_table, figures

    found: dict[str, Any] = {}
    for kind, model in models.items():
        found[kind] = {
            "figures": figures(pairs[kind], model),
            "candidates": {
                half: candidate_table(pairs[kind], model, half) for half in ("choose", "report")
            },
            "values": model.to_json(),
        }
    rounded: dict[str, Any] = _rounded(found)
    return rounded


def _rounded(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value


def table_lines(results: Mapping[str, Any]) -> Iterator[str]:
    """Markdown tables of the figures of `results_of`."""
    for kind in ("search", "scene"):
        if kind not in results:
            continue
        yield f"**{kind}**, {results['model']}"
        yield ""
        yield "| statistic | ROC-AUC | against absent only | found at 5 % false positives |"
        yield "|---|---|---|---|"
        for row in results[kind]["candidates"]["choose"]:
            yield (
                f"| {row['statistic']} | {row['roc_auc']:.3f} | {row['roc_auc_absent']:.3f} | "
                f"{100 * row['found_at_5']:.0f} % |"
            )
        yield ""
        yield from _figure_lines(results[kind]["figures"])
        yield ""


def _figure_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    kinds = list(figures["report"]["pairs"])
    yield f"| half | ROC-AUC | found at 5 % | {' | '.join(f'likely: {k}' for k in kinds)} |"
    yield "|---" * (3 + len(kinds)) + "|"
    for half, one in figures.items():
        low, high = one["found_at_5_interval"]
        cells = [half, f"{one['roc_auc']:.3f}"]
        cells.append(f"{100 * one['found_at_5']:.0f} % [{100 * low:.0f}, {100 * high:.0f}]")
        for kind in kinds:
            share = one["likely"][kind]["share"]
            count = one["pairs"][kind]
            cells.append("-" if share is None else f"{100 * share:.1f} % of {count}")
        yield f"| {' | '.join(cells)} |"
