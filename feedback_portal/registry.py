"""Plugins of one kind, each found by its slug."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Plugin(Protocol):
    """Whatever names itself; a connector, a tagger, a KPI."""

    @property
    def slug(self) -> str: ...


P = TypeVar("P", bound=Plugin)


class UnknownSlug(LookupError):
    """No plugin of this kind has that slug; the message names those that exist."""


class Registry(Generic[P]):
    """All plugins of one kind. `kind` is the word used in messages: `Registry[Connector]("connector")`."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._plugins: dict[str, P] = {}

    def register(self, plugin: Callable[[], P]) -> Callable[[], P]:
        """Class decorator: makes the one instance and keeps it; the class itself is handed back unchanged."""
        self.add(plugin())
        return plugin

    def add(self, plugin: P) -> P:
        """Keep a plugin that is made rather than declared."""
        taken = self._plugins.get(plugin.slug)
        if taken is not None:
            raise ValueError(
                f'{plugin!r} cannot be the {self.kind} "{plugin.slug}": {taken!r} already is. Choose another slug.'
            )
        self._plugins[plugin.slug] = plugin
        return plugin

    def get(self, slug: str) -> P:
        try:
            return self._plugins[slug]
        except KeyError:
            known = ", ".join(sorted(self._plugins)) or "none"
            raise UnknownSlug(f'There is no {self.kind} "{slug}". Known: {known}.') from None

    def all(self) -> tuple[P, ...]:
        """Every plugin by slug, so that the order never depends on which module was imported first."""
        return tuple(self._plugins[slug] for slug in sorted(self._plugins))

    def __contains__(self, slug: object) -> bool:
        return slug in self._plugins

    def load(self, package: str) -> None:
        """Import every module of a package, so that a new file there is found with no other edit."""
        for module in sorted(
            pkgutil.iter_modules(importlib.import_module(package).__path__), key=lambda found: found.name
        ):
            importlib.import_module(f"{package}.{module.name}")
