"""One file becomes checked, typed settings; the environment beats it, and defaults fill it."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.assembly.configuration import DEFAULT_GUARD, Configuration, default, load
from switchgear.assembly.templates import configuration_template
from switchgear.connectors.function import FunctionConnector
from switchgear.connectors.http import HttpConnection, HttpConnector, HttpOperation
from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.core.deadline import Deadline
from switchgear.core.effects import Effect
from switchgear.execution.contract import Call, Succeeded
from switchgear.execution.shares import Share
from switchgear.ledger.keys import make_key_file
from switchgear.policies.breaker import Breaker
from switchgear.policies.rate_limit import RateLimit


def _loaded(tmp_path: Path, text: str, **environment: str) -> Configuration:
    file = tmp_path / "switchgear.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment=environment)


def test_an_empty_file_is_a_configuration(tmp_path: Path) -> None:
    """Every key has a default, and the defaults hold without a file as well."""
    loaded, standard = _loaded(tmp_path, ""), default(environment={})
    for section in ("store", "server", "engine", "limits", "access", "log", "operations", "tools"):
        assert getattr(loaded, section) == getattr(standard, section)
    assert (standard.server.host, standard.server.port) == ("127.0.0.1", 8420)
    assert standard.server.body_limit_bytes == 1_048_576


def test_the_caller_s_store_beats_the_environment() -> None:
    """Who names a store in code gets that store."""
    variables = {"SWITCHGEAR_STORE_URL": "sqlite:///other.db"}
    assert default("memory://", environment=variables).store.url == "memory://"
    assert default(environment=variables).store.url == "sqlite:///other.db"


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    """Store, host, port and log level can be set from outside."""
    text = '[store]\nurl = "memory://"\n[server]\nport = 1\nwait_max = 5.0\n[log]\nformat = "json"'
    loaded = _loaded(
        tmp_path,
        text,
        SWITCHGEAR_STORE_URL="sqlite:///x.db",
        SWITCHGEAR_SERVER_HOST="::1",
        SWITCHGEAR_SERVER_PORT="9000",
        SWITCHGEAR_LOG_LEVEL="debug",
    )
    assert loaded.store.url == "sqlite:///x.db"
    assert (loaded.server.host, loaded.server.port, loaded.server.wait_max) == ("::1", 9000, 5.0)
    assert (loaded.log.level, loaded.log.format) == ("debug", "json")


def test_settings_never_change(tmp_path: Path) -> None:
    """What was loaded is frozen."""
    loaded = _loaded(tmp_path, "")
    with pytest.raises(ValueError, match="frozen"):
        loaded.server.port = 1


@pytest.mark.parametrize("text", ['[timeouts]\n"http.connect" = 2', "[timeouts]\nhttp.connect = 2.0"])
def test_timeouts_may_be_quoted_or_not(tmp_path: Path, text: str) -> None:
    """An unquoted dotted key means the same operation."""
    assert _loaded(tmp_path, text).operations["http.connect"].seconds == 2.0


def test_timeouts_reach_connections_and_tools(tmp_path: Path) -> None:
    """`http.connect` bounds connecting, `intent.execute` is the default of a tool's attempt."""
    loaded = _loaded(
        tmp_path,
        '[timeouts]\n"http.connect" = 2.0\n"intent.execute" = 9.0\n'
        '[connectors.crm]\nkind = "http"\nbase_url = "https://a"\n'
        '[tools."crm.a"]\nconnector = "crm"\nmethod = "GET"\npath = "/"\n'
        '[tools."crm.b"]\nconnector = "crm"\nmethod = "GET"\npath = "/"\ntimeout = 1.0\n',
    )
    connection = loaded.connections["crm"]
    assert isinstance(connection, HttpConnection)
    assert connection.connect_timeout == 2.0
    assert [declared.tool.timeout for declared in loaded.tools] == [9.0, 1.0]


def test_a_connector_without_a_guard_gets_the_default_one(tmp_path: Path) -> None:
    """Protection is on unless it is switched off."""
    loaded = _loaded(tmp_path, '[connectors.crm]\nkind = "http"\nbase_url = "https://a"')
    assert loaded.guard_of("crm") == loaded.guard_of("anything") == DEFAULT_GUARD
    breaker, bulkhead = DEFAULT_GUARD.breaker, DEFAULT_GUARD.bulkhead
    assert breaker is not None
    assert bulkhead is not None
    assert (breaker.failure_rate, breaker.minimum_calls, breaker.window) == (0.5, 10, 30.0)
    assert (breaker.cooldown, breaker.ramp, bulkhead.limit) == (15.0, 10.0, 64)


def test_guard_tables_become_options(tmp_path: Path) -> None:
    """What is given replaces that policy; false switches it off; recovery ramps unless told otherwise."""
    loaded = _loaded(
        tmp_path,
        "[dependencies.crm.guard]\ntimeout = 2.5\nbreaker = { failures = 3 }\n"
        "rate_limit = { limit = 10, per = 1.0, burst = 20 }\nbulkhead = false\n"
        "[dependencies.plain]\n[dependencies.abrupt.guard]\nbreaker = { failures = 3, ramp = 0.0 }",
    )
    guard = loaded.guard_of("crm")
    assert guard.timeout is not None
    assert guard.rate_limit is not None
    assert (guard.timeout.seconds, guard.bulkhead, guard.rate_limit.limit) == (2.5, None, 10)
    assert guard.breaker == Breaker(failures=3, ramp=10.0, tenants=2)
    assert loaded.guard_of("abrupt").breaker == Breaker(failures=3, tenants=2)


def test_a_tenants_own_guard_is_part_of_the_guard_table(tmp_path: Path) -> None:
    """Its breaker is on by default and starts at full speed; its rate limit is off; false switches either off."""
    loaded = _loaded(
        tmp_path,
        "[dependencies.crm.guard]\ntenant_breaker = { failures = 3, cooldown = 5.0 }\n"
        "tenant_rate_limit = { limit = 10 }\n"
        "[dependencies.plain.guard]\ntimeout = 2.0\n[dependencies.none.guard]\ntenant_breaker = false",
    )
    guard = loaded.guard_of("crm")
    assert (guard.tenant_breaker, guard.tenant_rate_limit) == (Breaker(failures=3, cooldown=5.0), RateLimit(10))
    assert loaded.guard_of("plain").tenant_breaker == DEFAULT_GUARD.tenant_breaker == Breaker(failures=5, cooldown=60.0)
    assert loaded.guard_of("plain").tenant_rate_limit is None
    assert loaded.guard_of("none").tenant_breaker is None


def test_shares_of_tenants_fall_back_to_those_of_all(tmp_path: Path) -> None:
    """What a tenant's table does not say is what [limits] says."""
    loaded = _loaded(
        tmp_path,
        "[limits]\ntenant_slots = 20\ntenant_attempt_rate = 5.0\n"
        "[limits.tenants.acme]\nweight = 4.0\nslots = 2\n[engine]\nqueue_age_max = 7.0",
    )
    assert loaded.limits.share_of("acme") == Share(weight=4.0, slots=2, rate=5.0)
    assert loaded.limits.share_of("globex") == loaded.limits.share_of(None) == Share(slots=20, rate=5.0)
    assert loaded.engine.queue_age_max == 7.0


def test_tools_become_contracts_and_operations(tmp_path: Path) -> None:
    """A tool's table makes its contract, its operation, and a connector shared by all tools that name it."""
    loaded = _loaded(
        tmp_path,
        '[connectors.crm]\nkind = "http"\nbase_url = "https://a"\n[dependencies.mail]\n'
        '[tools."crm.a"]\nconnector = "crm"\nmethod = "POST"\npath = "/x/{id}"\neffect = "keyed"\n'
        'requires = ["crm", "mail"]\ncost = 2\nversion = "3"\n'
        '[tools."crm.b"]\nconnector = "crm"\nmethod = "GET"\npath = "/x"\n',
    )
    (tool, connector), (other, same) = loaded.build_tools()
    assert (tool.name, tool.effect, tool.requires, tool.cost, tool.version) == (
        "crm.a",
        Effect.KEYED,
        ("crm", "mail"),
        2,
        "3",
    )
    assert isinstance(connector, HttpConnector)
    assert connector is same
    assert other.requires == ("crm",)
    first, second = (declared.means for declared in loaded.tools)
    assert isinstance(first, HttpOperation)
    assert isinstance(second, HttpOperation)
    assert (first.idempotency_header, second.idempotency_header) == ("Idempotency-Key", None)


def test_functions_are_found_beside_the_file(tmp_path: Path) -> None:
    """A module in the file's folder is imported, and its signature is the schema."""
    (tmp_path / "tools_beside_the_file.py").write_text("def double(call, n: int):\n    return 2 * n\n")
    loaded = _loaded(
        tmp_path,
        '[connectors.local]\nkind = "function"\nthreads_max = 2\n'
        '[tools."math.double"]\nfunction = "tools_beside_the_file:double"\n'
        '[tools."local.double"]\nfunction = "tools_beside_the_file:double"\nconnector = "local"\n',
    )
    (tool, connector), (local, own) = loaded.build_tools()
    assert (tool.requires, local.requires) == (("math",), ("local",))
    assert tool.arguments_schema is not None
    assert tool.arguments_schema["required"] == ["n"]
    assert isinstance(connector, FunctionConnector)
    assert connector is not own


def test_secrets_are_read_from_the_given_environment_only(tmp_path: Path) -> None:
    """The environment comes in once; nothing else reads the process's own."""
    loaded = _loaded(
        tmp_path,
        '[connectors.crm]\nkind = "http"\nbase_url = "https://a"\nheaders = { A = { env = "TOKEN" } }',
        TOKEN="s3cret-token",
    )
    assert "s3cret" not in repr(loaded.connections)


def test_credentials_that_cannot_be_read_are_warned_of(tmp_path: Path) -> None:
    """A variable that is not set, or a file that is missing, is told before a request needs it, and fails nothing."""
    (tmp_path / "there").write_text("s3cret", encoding="utf-8")
    loaded = _loaded(
        tmp_path,
        '[connectors.crm]\nkind = "http"\nbase_url = "https://a"\n'
        'headers = { A = { env = "TOKEN" }, B = { env = "GONE" }, C = { file = "there" }, D = "text" }\n'
        '[tools."crm.a"]\nconnector = "crm"\nmethod = "GET"\npath = "/"\n'
        'headers = { E = { tenants = { acme = { file = "gone" }, globex = { env = "TOKEN" } } } }\n',
        TOKEN="s3cret-token",
    )
    assert [warning.removeprefix(f"{tmp_path / 'switchgear.toml'}: ") for warning in loaded.warnings()] == [
        "connectors.crm.headers.B: environment variable GONE is missing or empty; it is needed",
        'tools."crm.a".headers.E.tenants.acme: file gone cannot be read (FileNotFoundError); it is needed',
    ]
    assert default(environment={}).warnings() == []


@pytest.mark.parametrize(
    ("requires", "all_of_them"),
    [("", ("crm",)), ('requires = ["idp"]', ("crm", "idp")), ('requires = ["idp", "crm"]', ("crm", "idp"))],
)
def test_what_carries_a_tool_out_is_the_first_that_it_requires(
    tmp_path: Path, requires: str, all_of_them: tuple[str, ...]
) -> None:
    """Law 5: the answers of one remote are no evidence of another's health, in whatever order they are named."""
    loaded = _loaded(
        tmp_path,
        '[connectors.crm]\nkind = "http"\nbase_url = "https://a"\n[dependencies.idp]\nkind = "http"\nprobe = false\n'
        f'[tools."crm.a"]\nconnector = "crm"\nmethod = "GET"\npath = "/"\n{requires}\n',
    )
    assert loaded.tools[0].tool.requires == all_of_them


async def test_the_template_works_as_it_is(tmp_path: Path) -> None:
    """What `init` writes loads, and its function tool runs."""
    loaded = _loaded(tmp_path, configuration_template())
    assert {declared.tool.name for declared in loaded.tools} == {
        "text.count_words",
        "crm.get_contact",
        "crm.place_order",
    }
    assert loaded.guard_of("crm") == DEFAULT_GUARD
    tool, connector = loaded.build_tools()[0]
    deadline = Deadline(SYSTEM_CLOCK.monotonic() + 5.0)
    call = Call("int_1", tool.name, "acme", "main", "me", {"text": "three short words"}, "", 1, deadline, "")
    assert await connector.execute(call) == Succeeded({"words": 3, "tenant": "acme"})
    await connector.close()


@pytest.mark.parametrize(("text", "words"), [(None, "ledger.key --name NAME`"), ("no key", "")])
def test_a_key_that_cannot_be_used_is_warned_of(tmp_path: Path, text: str | None, words: str) -> None:
    """The server does not start without the key that its file names, so a check does not call that fine."""
    file = tmp_path / "ledger.key"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    (warning,) = _loaded(tmp_path, f'[ledger]\nkey = "{file}"').warnings()
    assert "ledger.key: " in warning
    assert words in warning
    file.unlink(missing_ok=True)
    make_key_file(file, "ledger.example.org")
    assert _loaded(tmp_path, f'[ledger]\nkey = "{file}"').warnings() == []
