"""``deploy/env.example`` documents every setting, and nothing that does not exist."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

from services.runtime.settings import PREFIX, RuntimeSettings

ROOT = Path(__file__).parents[3]
# Read by the command line alone.
OF_THE_COMMAND_LINE = {"OPERATOR_KEY"}


def documented() -> set[str]:
    names = re.findall(
        rf"^(?:# )?{PREFIX}([A-Z_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE
    )
    return {name if name == "TOWN_CLOCK_FILE" else name.removesuffix("_FILE") for name in names}


def settings() -> set[str]:
    """Every field of every settings class that the services define."""
    for path in sorted((ROOT / "services").glob("*/*settings.py")):
        import_module(f"services.{path.parent.name}.{path.stem}")
    return {name.upper() for kind in _kinds(RuntimeSettings) for name in kind.model_fields}


def _kinds(kind: type[RuntimeSettings]) -> set[type[RuntimeSettings]]:
    below = {
        inner
        for each in kind.__subclasses__()
        if each.__module__.startswith("services.")
        for inner in _kinds(each)
    }
    return {kind} | below


def test_every_setting_is_documented() -> None:
    """A setting that nobody can find is not a setting."""
    assert set() == settings() - documented()


def test_nothing_documented_is_gone() -> None:
    """A line that does nothing misleads who runs it."""
    assert set() == documented() - settings() - OF_THE_COMMAND_LINE - {"ADMIN_TOKEN", "PHONE_KEY"}
