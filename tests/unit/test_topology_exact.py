"""Lines of an imported topology that are exactly as long as they may be."""

from dcsim.topology.imported import LINE, _list


def test_a_list_fills_its_lines_to_the_last_sign() -> None:
    """Three blanks, and 4 signs for a blank, a number of two digits and a comma; the last one fills the line."""
    fits, rest = divmod(LINE - 3, 4)
    values = [10 + number % 90 for number in range(3 * fits)]
    if rest:  # a longer number makes up for what is left
        values[0] = 10 ** (1 + rest)
    first, row, *_ = _list("key", values, "what they are")
    assert first == "key = [  # what they are"
    assert len(row) == LINE
    assert row.count(",") == fits
