"""The figures of the catalogue statistics show the counts."""

from terraseek_app.pages.about.figures import bars, long_tail


def test_bars_keep_the_order_given() -> None:
    figure = bars({"below 0.5 m": 3, "0.5 to 1 m": 1})
    assert figure is not None
    assert list(figure.data[0].x) == ["below 0.5 m", "0.5 to 1 m"]
    assert list(figure.data[0].y) == [3, 1]
    assert bars({}) is None


def test_long_tail_decreases_and_leaves_out_unknown_values() -> None:
    figure = long_tail({"label": {"": 99, "port": 2, "barn": 7}, "country": {"": 5}})
    assert figure is not None
    assert [trace.name for trace in figure.data] == ["label"]
    assert list(figure.data[0].y) == [7, 2]
    assert list(figure.data[0].text) == ["barn", "port"]
    assert long_tail({"label": {"": 3}}) is None
