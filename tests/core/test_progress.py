"""Rate and time left of a long job."""

import pytest

from terraseek.commands import console
from terraseek.progress import Pace, duration_text


def test_pace_counts_from_the_first_report():
    """Rows of an earlier job that was stopped cost this one no time."""
    now = [100.0]
    pace = Pace(lambda: now[0])
    pace.update(5000, 7000)
    assert (pace.rate, pace.left_s, str(pace)) == (0.0, None, "5,000 of 7,000")
    now[0] += 10
    pace.update(5500, 7000)
    assert (pace.rate, pace.left_s) == (50.0, 30.0)
    assert str(pace) == "5,500 of 7,000, 50/s, 30 s left"
    now[0] += 1
    pace.update(9000, 0)
    assert pace.left_s is None
    assert str(pace) == "9,000, 364/s"


def test_durations_have_a_suitable_unit():
    texts = [duration_text(s) for s in (1, 89, 91, 5399, 5400, 172_799, 172_801)]
    assert texts == ["1 s", "89 s", "2 min", "90 min", "1.5 h", "48.0 h", "2.0 days"]


def test_log_of_a_batch_job_has_lines_with_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(console, "_LINE_S", 0.0)
    with console.bar() as progress:
        progress("embed", 0, 1000)
        progress("embed", 500, 1000)
    assert "embed: 500 of 1,000, " in capsys.readouterr().err
