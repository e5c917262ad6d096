"""A study's results as a Markdown table."""

from collections.abc import Sequence

from terraseek_train.study.statistics import ArmResult, Versus

__all__ = ["markdown"]

_HEAD = (
    "arm",
    "trained",
    "I2T R@1 / 5 / 10",
    "T2I R@1 / 5 / 10",
    "mR",
    "Δ mR [95 %]",
    "p pictures",
    "p seeds",
)


def markdown(title: str, note: str, results: Sequence[ArmResult]) -> str:
    """Heading, conditions and one row an arm.

    mR is the mean over seeds ± half of Student's 95 % interval; Δ names the arm it is taken from.
    """
    rows = [_HEAD, tuple("---" for _ in _HEAD), *(_row(result) for result in results)]
    seeds = max(result.seeds for result in results)
    lines = [f"**{title}.** {note[0].upper()}{note[1:]}; {seeds} seed{'s' * (seeds > 1)}.", ""]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _row(result: ArmResult) -> tuple[str, ...]:
    mean = result.mean
    there, back = (
        " ".join(f"{mean[f'{way}_r{k}']:.2f}" for k in (1, 5, 10)) for way in ("i2t", "t2i")
    )
    spread = "" if result.half_width is None else f" ± {result.half_width:.2f}"
    trained = f"{result.parameters:,}" if result.parameters else "nothing"
    return (result.name, trained, there, back, f"{mean['mR']:.2f}{spread}", *_versus(result.versus))


def _versus(versus: Versus | None) -> tuple[str, str, str]:
    if versus is None:
        return "", "", ""
    ends = versus.interval
    inside = "" if ends is None else f" [{ends[0]:+.2f}, {ends[1]:+.2f}]"
    seeds = "" if versus.p_seeds is None else _p(versus.p_seeds)
    return f"{versus.value:+.2f}{inside} to {versus.other}", _p(versus.p_pictures), seeds


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
