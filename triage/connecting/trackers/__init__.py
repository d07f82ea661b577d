"""Kinds of trackers of issues, one file each; see `base` for what one must do."""

from feedback_portal.registry import Registry
from triage.connecting.trackers.base import Tracker

trackers: Registry[Tracker] = Registry("tracker")
