import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from feedback_portal.registry import Registry, UnknownSlug


@dataclass(frozen=True)
class Lamp:
    slug: str


def lamps(*slugs: str) -> Registry[Lamp]:
    registry = Registry[Lamp]("lamp")
    for slug in slugs:
        registry.add(Lamp(slug))
    return registry


def test_a_decorated_class_is_kept_as_its_one_instance() -> None:
    registry = Registry[Lamp]("lamp")

    @registry.register
    class Desk(Lamp):
        def __init__(self) -> None:
            super().__init__("desk")

    assert isinstance(registry.get("desk"), Desk)
    assert registry.get("desk") is registry.get("desk")
    assert isinstance(Desk, type)


def test_a_slug_is_taken_once_and_the_first_stays() -> None:
    registry = lamps("desk")
    first = registry.get("desk")
    with pytest.raises(ValueError, match='lamp "desk"'):
        registry.add(Lamp("desk"))
    assert registry.all() == (first,)


def test_an_unknown_slug_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownSlug, match=r'There is no lamp "dusk"\. Known: desk, floor\.'):
        lamps("floor", "desk").get("dusk")


def test_an_empty_registry_says_so() -> None:
    with pytest.raises(UnknownSlug, match="Known: none"):
        lamps().get("desk")


def test_the_order_does_not_depend_on_the_order_of_registration() -> None:
    assert lamps("b", "a", "c").all() == lamps("c", "b", "a").all() == (Lamp("a"), Lamp("b"), Lamp("c"))


def test_membership_is_by_slug() -> None:
    assert "desk" in lamps("desk")
    assert "dusk" not in lamps("desk")


def test_a_new_file_in_the_package_is_found_with_no_other_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lampshop"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from feedback_portal.registry import Registry\nlamps = Registry('lamp')\nlamps.load(__name__)\n"
    )
    (package / "desk.py").write_text("from . import lamps\n@lamps.register\nclass Desk:\n    slug = 'desk'\n")
    (package / "attic.py").write_text("from . import lamps\n@lamps.register\nclass Attic:\n    slug = 'attic'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        import lampshop  # type: ignore[import-not-found]

        assert [lamp.slug for lamp in lampshop.lamps.all()] == ["attic", "desk"]
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "lampshop"]:
            del sys.modules[name]
