"""Short codes go there and back, however they are typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_portal import codes


@given(st.integers(min_value=0, max_value=32**7 - 1))
def test_a_customer_code_leads_back_to_its_number(number: int) -> None:
    assert codes.customer_number(codes.customer_code(number)) == number


def test_neighbours_look_unrelated() -> None:
    for number in range(1, 200):
        first, second = codes.customer_code(number), codes.customer_code(number + 1)
        assert sum(a != b for a, b in zip(first, second, strict=True)) >= 4


@pytest.mark.parametrize("typed", ["fb-{}-{}", " FB{}{} ", "Fb-{}{}"])
def test_a_customer_code_may_be_typed_loosely(typed: str) -> None:
    _, left, right = codes.customer_code(4711).split("-")

    assert codes.customer_number(typed.format(left, right)) == 4711


@pytest.mark.parametrize("typed", ["", "FB-", "F-20493", "FB-UUUU-UUU", "FB-12345678", "\x00"])
def test_what_is_no_customer_code_is_none(typed: str) -> None:
    assert codes.customer_number(typed) is None


def test_a_number_too_large_for_a_code_is_refused() -> None:
    with pytest.raises(ValueError, match="no code"):
        codes.customer_code(32**7)


@pytest.mark.parametrize(
    ("make", "read"), [(codes.ticket_code, codes.ticket_number), (codes.action_code, codes.action_number)]
)
@given(number=st.integers(min_value=1, max_value=10**12))
def test_staff_codes_lead_back(make, read, number: int) -> None:  # type: ignore[no-untyped-def]
    assert read(make(number).lower()) == number


@pytest.mark.parametrize("typed", ["F-", "F-0", "F-20000", "20493", "F-12345678901234567890123"])
def test_what_is_no_ticket_code_is_none(typed: str) -> None:
    assert codes.ticket_number(typed) is None
