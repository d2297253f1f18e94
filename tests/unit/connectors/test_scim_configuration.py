"""SCIM connectors in a configuration file: tools bring effect and arguments; what is wrong is told with a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from switchgear.assembly.configuration import Configuration, load
from switchgear.assembly.configuration.problems import ConfigurationError
from switchgear.assembly.configuration.sections import RevokeSessionsTable, ScimConnectorTable
from switchgear.connectors.scim import OPERATIONS, ScimConnection, ScimConnector
from switchgear.core.effects import Effect

IDP = """
[connectors.idp]
kind = "scim"
base_url = "https://idp.example.com/scim/v2"
headers = { Authorization = { env = "IDP_TOKEN", prefix = "Bearer " } }
"""
REVOKE = '[connectors.idp.revoke_sessions]\nmethod = "POST"\npath = "/Users/{user_id}/sessions:revoke"\n'
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "contain-an-identity.md"


def _loaded(tmp_path: Path, text: str) -> Configuration:
    file = tmp_path / "switchgear.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment={})


def _tool(operation: str, rest: str = "") -> str:
    return f'[tools."idp.{operation}"]\nconnector = "idp"\noperation = "{operation}"\n{rest}\n'


def test_tools_bring_effect_schema_and_words(tmp_path: Path) -> None:
    """What an operation does is known, so nobody declares it; the binding says where it goes."""
    loaded = _loaded(tmp_path, IDP + REVOKE + "".join(map(_tool, (*OPERATIONS, "revoke_sessions"))))
    connection = loaded.connections["idp"]
    assert isinstance(connection, ScimConnection)
    tools = {declared.means: declared.tool for declared in loaded.tools}
    assert set(tools) == {*OPERATIONS, "revoke_sessions"}
    for name, operation in connection.operations.items():
        assert tools[name].effect is operation.effect
        assert tools[name].arguments_schema == operation.arguments_schema
        assert tools[name].description == operation.description
        assert tools[name].binding == connection.binding(name)
        assert tools[name].resource == operation.resource
        assert tools[name].requires == ("idp",)


async def test_tools_are_built_on_one_connector(tmp_path: Path) -> None:
    """All tools of a server share its connections."""
    built = _loaded(tmp_path, IDP + _tool("deactivate") + _tool("restore")).build_tools()
    assert [tool.effect for tool, _ in built] == [Effect.NATURAL, Effect.NATURAL]
    assert len({id(connector) for _, connector in built}) == 1
    assert isinstance(built[0][1], ScimConnector)
    await built[0][1].close()


def test_what_the_file_says_of_a_tool_holds(tmp_path: Path) -> None:
    """Bounds and words are the file's to set."""
    loaded = _loaded(tmp_path, IDP + _tool("deactivate", 'description = "Mine."\ntimeout = 2.0\nattempts = 7'))
    tool = loaded.tools[0].tool
    assert (tool.description, tool.timeout, tool.attempts) == ("Mine.", 2.0, 7)


def test_a_missing_credential_is_warned_of(tmp_path: Path) -> None:
    """The headers of a SCIM server are looked at as those of any other."""
    assert any("IDP_TOKEN" in line for line in _loaded(tmp_path, IDP).warnings())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (_tool("revoke_sessions"), "its connector has no revoke_sessions; declare [connectors.idp.revoke_sessions]"),
        (
            _tool("deactivate", 'effect = "opaque"'),
            "means nothing for a SCIM operation; remove it, or remove operation",
        ),
        (_tool("deactivate", 'path = "/x"'), "means nothing for a SCIM operation"),
        (_tool("deactivate", 'function = "a:b"'), "means nothing for a SCIM operation"),
        ('[tools."idp.a"]\nconnector = "idp"\n', "a tool of a SCIM connector needs operation"),
        ('[tools."idp.a"]\noperation = "restore"\n', "a SCIM operation needs connector"),
        ('[tools."idp.a"]\nconnector = "idq"\noperation = "restore"\n', 'did you mean "?idp'),
        (_tool("deactivates"), "operation"),
        (REVOKE.replace("POST", "GET"), 'must be "POST", "PUT", "PATCH" or "DELETE"'),
        (REVOKE.replace("{user_id}", "7"), "needs {user_id} and no more"),
        (REVOKE.replace("/Users", "https://other.example/Users"), "hosts of the connector does not list"),
    ],
)
def test_what_is_wrong_is_told_with_a_remedy(tmp_path: Path, text: str, told: str) -> None:
    """A file that cannot work is refused when it is read."""
    with pytest.raises(ConfigurationError) as caught:
        _loaded(tmp_path, IDP + text)
    assert re.search(told.replace("[", r"\[").replace("]", r"\]"), str(caught.value)), str(caught.value)


def test_a_function_s_connector_is_no_scim_server(tmp_path: Path) -> None:
    """A tool and its connector are of one kind."""
    with pytest.raises(ConfigurationError, match="of another kind; this tool is a SCIM operation"):
        _loaded(tmp_path, '[connectors.idp]\nkind = "function"\n' + _tool("restore"))


def test_every_key_has_a_meaning() -> None:
    """A setting without a word of documentation does not exist."""
    for model in (ScimConnectorTable, RevokeSessionsTable):
        assert all(field.description for field in model.model_fields.values())


def test_the_how_to_loads(tmp_path: Path) -> None:
    """The examples of the page are one configuration that works."""
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    loaded = _loaded(tmp_path, "\n".join(blocks))
    assert {declared.means for declared in loaded.tools} == {*OPERATIONS, "revoke_sessions"}
