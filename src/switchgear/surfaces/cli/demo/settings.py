"""The configuration file of the demo: the CRM as a connector, a tool of each effect class, and bounds.

It is written into the demo's folder, so whoever is curious can read it and run it again.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

TEMPLATE = "demo.toml"


def write_settings(folder: Path, *, crm_url: str, port: int, seconds: float) -> Path:
    """Write the configuration for a CRM at `crm_url` into `folder` and return its path.

    `port` is where the gear serves on loopback. The breaker's cooldown follows the length of the demo.
    """
    template = Template(files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8"))
    text = template.substitute(
        store=(folder / "gear.db").resolve().as_posix(),
        crm=crm_url,
        port=port,
        cooldown=max(0.5, min(3.0, seconds / 20)),
        window=max(2.0, seconds / 10),
    )
    path = folder / "switchgear.toml"
    path.write_text(text, encoding="utf-8")
    return path
