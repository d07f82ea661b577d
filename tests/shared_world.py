"""Rows that several tests stand on, made once for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction


@contextmanager
def rows_that_last(blocker: Any) -> Iterator[None]:
    """What is written inside stays for every test of a wider fixture's scope, and goes with it: each test has a savepoint of its
    own above. `blocker` is pytest-django's `django_db_blocker`; the fixture that uses this has to ask for `django_db_setup`.

    Objects kept in memory are shared as well: whoever changes a row reads it anew.
    """
    lasting = transaction.atomic()
    # As Django's TestCase marks its own: code that refuses to run inside another transaction may run here.
    lasting._from_testcase = True  # type: ignore[attr-defined]
    with blocker.unblock():
        lasting.__enter__()
    try:
        yield
    finally:
        with blocker.unblock():
            transaction.set_rollback(True)
            lasting.__exit__(None, None, None)
