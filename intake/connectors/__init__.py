"""Kinds of channel, one file each; see `base` for what one must do."""

from feedback_portal.registry import Registry
from intake.connectors.base import Connector

connectors: Registry[Connector] = Registry("connector")
