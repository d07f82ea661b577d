"""What a KPI is: additive parts of a day, and how their sums become a value with its interval. Nothing here saves."""

from typing import ClassVar


class Kpi:
    """One KPI in one file under `kpis/definitions/`, decorated with `@definitions.register`."""

    slug: ClassVar[str]
    name: ClassVar[str]
    version: ClassVar[int] = 1
