import pytest

from journeyman.web import charts


@pytest.mark.parametrize(
    ("greatest", "top"), [(0, 2), (2, 2), (3, 4), (5, 6), (7, 8), (11, 12), (2636, 3000), (99, 100)]
)
def test_a_scale_of_counts_ends_and_halves_with_whole_numbers(greatest: int, top: int) -> None:
    assert charts.ceiling_count(greatest) == top


@pytest.mark.parametrize(
    ("greatest", "top"), [(0, 0.01), (0.3, 0.3), (1.2, 1.2), (1.25, 1.6), (163.2, 200), (7e6, 8e6)]
)
def test_a_scale_of_amounts_is_round(greatest: float, top: float) -> None:
    assert charts.ceiling(greatest, 0.01) == pytest.approx(top)


@pytest.mark.parametrize(
    ("greatest", "top"), [(0, 1), (16, 20), (61, 120), (5000, 7200), (9e6, 1e7)]
)
def test_a_scale_of_times_is_round_as_people_count_them(greatest: float, top: float) -> None:
    assert charts.ceiling_seconds(greatest) == top


def test_columns_are_stacked_from_the_bottom() -> None:
    first, second = charts.columns([[("a", 1), ("none", 0), ("b", 3)], []], top=4)
    assert [(part.kind, part.y, part.height) for part in first.segments] == [
        ("a", 75, 25),
        ("b", 0, 75),
    ]
    assert (second.x, second.segments) == (1.08, ())


def test_a_line_has_gaps_where_nothing_is_known() -> None:
    assert charts.line([1, 2, None, 4], top=4) == "M0.5 75.0L1.5 50.0M3.5 0.0"
    assert charts.dots([1, 2, None, 4], top=4) == "M3.5 0.0h0"
    assert charts.line([None, None], top=1) == ""
