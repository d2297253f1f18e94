"""What `switchgear up` tells to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.surfaces.cli.serving import token_command


@pytest.mark.parametrize(
    ("config", "named"),
    [("switchgear.toml", ""), ("restored.toml", " --config restored.toml"), ("a b.toml", " --config 'a b.toml'")],
)
def test_the_token_is_made_with_the_configuration_of_the_server(config: str, named: str) -> None:
    """Each store has a key of its own: a token of another configuration file would be refused."""
    assert token_command(Path(config)) == f"switchgear token --tenant acme --save{named}"
