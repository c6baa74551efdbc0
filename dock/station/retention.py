"""Until when a file must be kept: days by the retention class that the camera signed (R34, R42)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evidence.statements import moment
from evidence.verify import Report

_DAY_NS = 86_400 * 10**9


class Retention:
    """`retention_days` of station.toml, counted from when the station took the file in, by the station's clock."""

    def __init__(self, days: Mapping[str, int], utc_ns: Callable[[], int]) -> None:
        self._days = dict(days)
        self._utc_ns = utc_ns

    def until(self, report: Report) -> str | None:
        """A `Moment`; None for a class without a figure, and for a file whose class cannot be read."""
        return None if report.opened is None else self.until_class(report.opened.retention_class)

    def until_class(self, retention_class: str | None) -> str | None:
        """The same, for a class."""
        days = None if retention_class is None else self._days.get(retention_class)
        return None if days is None else moment(self._utc_ns() + days * _DAY_NS)
