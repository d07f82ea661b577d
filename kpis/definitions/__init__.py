"""KPIs, one file each; see `base` for what one must say."""

from feedback_portal.registry import Registry
from kpis.definitions.base import Kpi

definitions: Registry[Kpi] = Registry("KPI")
