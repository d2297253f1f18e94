"""What `switchgear init` writes: a first configuration that works, and the function that its first tool runs."""

from __future__ import annotations

from importlib.resources import files


def configuration_template() -> str:
    """Return the text of a first `switchgear.toml`."""
    return files(__name__).joinpath("switchgear.toml").read_text(encoding="utf-8")
