"""A study's results as a Markdown table."""

from collections.abc import Sequence

from terraseek_train.study.statistics import ArmResult, Comparison

__all__ = ["markdown"]

_HEAD = (
    "arm",
    "trained",
    "I2T R@1 / 5 / 10",
    "T2I R@1 / 5 / 10",
    "mR",
    "Δ mR [95 %]",
    "p images",
    "p seeds",
)


def markdown(title: str, note: str, results: Sequence[ArmResult], second: str = "") -> str:
    """Heading, conditions and one row per arm.

    mR is the mean over seeds ± half of Student's 95 % interval; Δ names the arm of comparison.

    Args:
        title: of the study.
        note: conditions.
        results: of the arms.
        second: name of the second set, which adds two columns.
    """
    head = (*_HEAD, f"{second} top-1", "Δ [95 %]") if second else _HEAD
    body = [(*_row(result), *(_second(result) if second else ())) for result in results]
    rows = [head, tuple("---" for _ in head), *body]
    seeds = max(result.seeds for result in results)
    lines = [f"**{title}.** {note[0].upper()}{note[1:]}; {seeds} seed{'s' * (seeds > 1)}.", ""]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _row(result: ArmResult) -> tuple[str, ...]:
    mean = result.mean
    image_to_text, text_to_image = (
        " ".join(f"{mean[f'{way}_r{k}']:.2f}" for k in (1, 5, 10)) for way in ("i2t", "t2i")
    )
    spread = "" if result.half_width is None else f" ± {result.half_width:.2f}"
    trained = f"{result.parameters:,}" if result.parameters else "nothing"
    return (
        result.name,
        trained,
        image_to_text,
        text_to_image,
        f"{mean['mR']:.2f}{spread}",
        *_comparison(result.comparison),
    )


def _second(result: ArmResult) -> tuple[str, str]:
    return f"{result.mean['top1']:.2f}", _comparison(result.second)[0]


def _comparison(comparison: Comparison | None) -> tuple[str, str, str]:
    if comparison is None:
        return "", "", ""
    limits = comparison.interval
    interval = "" if limits is None else f" [{limits[0]:+.2f}, {limits[1]:+.2f}]"
    p_seeds = "" if comparison.p_seeds is None else _p(comparison.p_seeds)
    delta = f"{comparison.value:+.2f}{interval} to {comparison.other}"
    return delta, _p(comparison.p_images), p_seeds


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
