"""Each way in which a file can be wrong is told with file, key, what is wrong and what to write; all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchgear.assembly.configuration import ConfigurationError, default, load
from switchgear.assembly.configuration.problems import Problem
from switchgear.core.codes import Code

HTTP = '[connectors.crm]\nkind = "http"\nbase_url = "https://api.example.com"\n'
GET = 'connector = "crm"\nmethod = "GET"\npath = "/x"\n'


def _problems(tmp_path: Path, text: str | bytes, **environment: str) -> tuple[Problem, ...]:
    file = tmp_path / "switchgear.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        load(file, environment=environment)
    assert caught.value.code is Code.INVALID_CONFIGURATION
    assert all(str(problem) in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


ROWS = [
    # text, key, what is wrong, what to write
    ("[limits.tenants.acme]\nweigth = 1", "limits.tenants.acme.weigth", "no such key", "did you mean weight?"),
    ("[limits.tenants.acme]\nslots = 0", "limits.tenants.acme.slots", "at least 1, not 0", ""),
    ("[limits.tenants]\nacme = 3", "limits.tenants.acme", "cannot be 3", "[limits.tenants.NAME]"),
    ('[limits.tenants."a b"]', 'limits.tenants."a b"', 'cannot be "a b"', "the name as tokens have it"),
    ("[limits]\ntenants = 3", "limits.tenants", "cannot be 3", "[limits.tenants.NAME]"),
    ("[sever]", "sever", "no such key", "did you mean server?"),
    ("port = 1", "port", "no such key", "known are access, approvals"),
    ("server = 1", "server", "must be a table, not 1", "[server]"),
    ("[server]\nprot = 1", "server.prot", "no such key", "did you mean port?"),
    ("[server]\nport = 65536", "server.port", "at most 65535, not 65536", "port = 8420"),
    ("[server]\nport = -1", "server.port", "at least 0", "port = 8420"),
    ('[server]\nport = "1"', "server.port", 'a whole number, not "1"', "port = 8420"),
    ("[server]\nport = 1.5", "server.port", "a whole number, not 1.5", "port = 8420"),
    ("[server]\nport = true", "server.port", "a whole number, not true", "port = 8420"),
    ("[server]\nhost = 1", "server.host", "text in quotes", '"127.0.0.1"'),
    ("[server]\nwait_max = nan", "server.wait_max", "a finite number", "60.0"),
    ("[engine]\nslots = 0", "engine.slots", "at least 1", "slots ="),
    ("[limits]\ntenant_rate = 0", "limits.tenant_rate", "above 0", "tenant_rate ="),
    ('[log]\nlevel = "loud"', "log.level", 'not "loud"', '"info"'),
    ('[store]\nurl = "gear.db"', "store.url", 'cannot be "gear.db"', "sqlite:///switchgear.db"),
    ('[store]\nurl = "sqlite://x.db"', "store.url", "write sqlite:///x.db", ""),
    ('[store]\nurl = "sqlite:///x.db?mode=ro"', "store.url", "no options", ""),
    ('[store]\nurl = "memory://x"', "store.url", "write memory:// instead", ""),
    ('[store]\nurl = "mysql://me:s3cret@x/y"', "store.url", "no store adapter opens mysql: URLs", ""),
    ("timeouts = 1", "timeouts", "must be a table", "[timeouts]"),
    ('[timeouts]\n"kv.gett" = 1', 'timeouts."kv.gett"', "no such key", "did you mean kv.get?"),
    ('[timeouts]\n"kv.get" = 0', 'timeouts."kv.get"', "seconds above 0", '"kv.get" = 5.0'),
    ('[timeouts]\n"kv.get" = "1"', 'timeouts."kv.get"', "seconds above 0", '"kv.get" = 5.0'),
    ("connectors = 1", "connectors", "must hold tables", "[connectors.NAME]"),
    ("[connectors]\ncrm = 1", "connectors.crm", "must be a table", "[connectors.crm]"),
    ("[connectors.crm]", "connectors.crm.kind", "is missing", 'kind = "http"'),
    ('[connectors.crm]\nkind = "htp"', "connectors.crm.kind", 'cannot be "htp"', "did you mean http?"),
    ("[connectors.crm]\nkind = 3", "connectors.crm.kind", "cannot be 3", 'kind = "http"'),
    ('[connectors.crm]\nkind = "http"', "connectors.crm.base_url", "is missing", "https://"),
    (HTTP + "hosts = [3]", "connectors.crm.hosts", "cannot be 3", 'hosts = ["api'),
    (HTTP + 'hosts = ["other"]', "connectors.crm", "hosts must list", ""),
    (HTTP + "headers = { A = 3 }", "connectors.crm.headers.A", "no header value", "{ env = "),
    (HTTP + 'headers = { A = { evn = "B" } }', "connectors.crm.headers.A", "no header value", "{ env = "),
    (HTTP + "headers = { A = { tenants = { a = 1 } } }", "connectors.crm.headers.A.tenants.a", "no header", "{ env"),
    (HTTP + 'headers = { Host = "b" }', "connectors.crm", "'Host' cannot be set", ""),
    (HTTP + "guard = 3", "connectors.crm.guard", "must be a table, not 3", ""),
    (HTTP + "guard = { brekaer = {} }", "connectors.crm.guard.brekaer", "no such key", "did you mean breaker?"),
    (HTTP + "guard = { retry = { attempts = 3 } }", "connectors.crm.guard.retry", "kernel retries", "attempts = 3"),
    (HTTP + "guard = { breaker = 3 }", "connectors.crm.guard.breaker", "a table or false", ""),
    (HTTP + "guard = { breaker = { on = 1 } }", "connectors.crm.guard.breaker.on", "no such key", "known are"),
    (HTTP + "guard = { breaker = { failures = 0 } }", "connectors.crm.guard.breaker", "failures", ""),
    (HTTP + 'guard = { breaker = { cooldown = "x" } }', "connectors.crm.guard.breaker", "cooldown", ""),
    (HTTP + "guard = { rate_limit = {} }", "connectors.crm.guard.rate_limit.limit", "is missing", "limit = 10"),
    (HTTP + "guard = { rate_limit = { limit = 0 } }", "connectors.crm.guard.rate_limit", "above 0", ""),
    (HTTP + "guard = { bulkhead = { limit = 0 } }", "connectors.crm.guard.bulkhead", "at least 1", ""),
    (HTTP + "guard = { bulkhead = { limit = 1, queue = 3 } }", "connectors.crm.guard.bulkhead.queue", "no such", ""),
    (HTTP + "guard = { timeout = 0 }", "connectors.crm.guard.timeout", "above 0", ""),
    (HTTP + "guard = {}\n[dependencies.crm]\nguard = {}", "dependencies.crm.guard", "same dependency", "keep one"),
    ("[dependencies.crm]\nprobe = 1", "dependencies.crm.probe", "cannot be 1", "probe = false"),
    ("[dependencies.crm]\nprobes = 1", "dependencies.crm.probes", "no such key", "did you mean probe?"),
    ("[tools]\na = 1", "tools.a", "must be a table", "[tools.a]"),
    ("[tools.crm.update]", "tools.crm", "one key", '[tools."crm.update"]'),
    ('[tools."a b"]', 'tools."a b"', "characters", ""),
    ("[tools.a]", "tools.a", "neither a function nor", "module:function"),
    ('[tools.a]\nmethod = "GET"', "tools.a.path", "is missing", "path = "),
    (HTTP + "[tools.a]\n" + GET + "attemps = 2", "tools.a.attemps", "no such key", "did you mean attempts?"),
    (HTTP + "[tools.a]\n" + GET + "attempts = 0", "tools.a.attempts", "at least 1", "attempts = 3"),
    (HTTP + "[tools.a]\n" + GET + "timeout = -1.0", "tools.a.timeout", "above 0", ""),
    (HTTP + "[tools.a]\n" + GET + 'effect = "kyed"', "tools.a.effect", "read_only", "did you mean keyed?"),
    (HTTP + "[tools.a]\n" + GET + "version = 1", "tools.a.version", "cannot be 1", 'version = "1"'),
    (HTTP + "[tools.a]\n" + GET + "body = 3", "tools.a.body", "cannot be 3", 'body = "json"'),
    (HTTP + "[tools.a]\n" + GET + 'body = "json"', "tools.a", "no body", ""),
    (HTTP + "[tools.a]\n" + GET + 'requires = ["crn"]', "tools.a.requires[0]", "'crn'", "did you mean crm?"),
    (HTTP + "[tools.a]\n" + GET + 'requires = ["zzz"]', "tools.a.requires[0]", "'zzz'", "[dependencies.zzz]"),
    (HTTP + "[tools.a]\n" + GET + "headers = { A = 1 }", "tools.a.headers.A", "no header value", "{ env"),
    (
        HTTP + "[tools.a]\n" + GET + 'effect = "keyed"\nidempotency_header = false',
        "tools.a.idempotency_header",
        "keyed",
        "",
    ),
    (HTTP + "[tools.a]\n" + GET + "idempotency_header = true", "tools.a.idempotency_header", "cannot be true", "false"),
    (HTTP + "[tools.a]\n" + GET + 'outcomes = { succeeded = ["6xx"] }', "tools.a", "6xx", ""),
    (
        HTTP + "[tools.a]\n" + GET + "outcomes = { succeded = [1] }",
        "tools.a.outcomes.succeded",
        "no such",
        "succeeded?",
    ),
    (HTTP + "[tools.a]\n" + GET + "outcomes = { in_doubt = [true] }", "tools.a.outcomes.in_doubt", "true", "5xx"),
    (HTTP + "[tools.a]\n" + GET + 'arguments = { type = "objct" }', "tools.a.arguments", "JSON Schema", ""),
    (HTTP + "[tools.a]\n" + GET + "arguments = { properties = 3 }", "tools.a.arguments", "JSON Schema", ""),
    (HTTP + "[tools.a]\n" + GET + 'arguments = { "$ref" = "https://a/b" }', "tools.a.arguments", "leads nowhere", ""),
    (HTTP + "[tools.a]\n" + GET + "arguments = { const = 2024-01-01 }", "tools.a.arguments", "JSON Schema", ""),
    (
        HTTP + "[tools.a]\n" + GET + "query = []\narguments = { properties = { a = {} } }",
        "tools.a.arguments",
        "'a'",
        "path",
    ),
    (
        HTTP + '[tools.a]\nconnector = "crm"\nmethod = "GET"\npath = "/{id}"\n'
        "arguments = { additionalProperties = false }",
        "tools.a.arguments",
        "'id', which the path needs",
        "properties",
    ),
    (HTTP + '[tools.a]\nconnector = "crn"\nmethod = "GET"\npath = "/"', "tools.a.connector", "no connector", "crm?"),
    (HTTP + '[tools.a]\nconnector = "crm"\nmethod = "get"\npath = "/"', "tools.a.method", "GET", ""),
    (HTTP + '[tools.a]\nconnector = "crm"\nmethod = "GET"\npath = "x"', "tools.a", "must start with /", ""),
    (
        HTTP + '[tools.a]\nconnector = "crm"\nmethod = "GET"\npath = "https://evil.example/x"',
        "tools.a.path",
        "not among the hosts",
        "hosts",
    ),
    (HTTP + '[tools.a]\nfunction = "json:dumps"\nconnector = "crm"', "tools.a.connector", "other kind", ""),
    ('[tools.a]\nfunction = "json"', "tools.a.function", "no function path", ""),
    ('[tools.a]\nfunction = "no_such_module_here:f"', "tools.a.function", "no module", ""),
    ('[tools.a]\nfunction = "json:no_such"', "tools.a.function", "has no 'no_such'", ""),
    ('[tools.a]\nfunction = "gc:collect"\nmethod = "GET"', "tools.a.method", "means nothing for a function", "remove"),
    ('[tools.a]\nfunction = "gc:isenabled"', "tools.a.function", "take the call first", ""),
]


@pytest.mark.parametrize(("text", "key", "wrong", "write"), ROWS)
def test_each_mistake_has_its_words(tmp_path: Path, text: str, key: str, wrong: str, write: str) -> None:
    """The problem names the file and the dotted key, says what is wrong, and what to write."""
    problems = {problem.key: problem for problem in _problems(tmp_path, text)}
    assert key in problems
    assert problems[key].where == str(tmp_path / "switchgear.toml")
    assert wrong in problems[key].wrong
    assert write in problems[key].write


def test_a_bad_address_is_told_by_its_key(tmp_path: Path) -> None:
    """An address that is none is named with what to write."""
    (problem,) = _problems(tmp_path, '[connectors.crm]\nkind = "http"\nbase_url = "ftp://a"')
    assert "base_url 'ftp://a' is no address; write http://host" in problem.wrong


def test_a_broken_connector_is_not_blamed_on_its_tools(tmp_path: Path) -> None:
    """One mistake is one problem."""
    text = '[connectors.crm]\nkind = "http"\nbase_url = "ftp://a"\n[tools.a]\n' + GET
    assert [problem.key for problem in _problems(tmp_path, text)] == ["connectors.crm"]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """Nobody corrects a file one error at a time."""
    text = '[server]\nport = -1\nhots = 1\n[log]\nlevel = "x"\n[tools.a]\n[stor]'
    keys = {problem.key for problem in _problems(tmp_path, text)}
    assert keys == {"server.port", "server.hots", "log.level", "tools.a", "stor"}


def test_a_flood_of_problems_is_bounded(tmp_path: Path) -> None:
    """The error's text has an end; the facts have all."""
    problems = [f"x{n} = 1" for n in range(80)]
    file = tmp_path / "switchgear.toml"
    file.write_text("\n".join(problems))
    with pytest.raises(ConfigurationError, match="and 30 more") as caught:
        load(file, environment={})
    assert len(caught.value.to_dict()["problems"]) == 80


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (b"[server\nport = 1", "at line 1, column 8"),
        (b"[server]\nport = \n", "at line 2, column 8"),
        (b"[server]\nport = 1\nport = 2", "at line 3, column 9"),
        (b'[server]\nhost = """a\n', "at line 3, column 1"),
        (b"[server]\nport = [1", "at line 2, column 10"),
        (b"[server]\nhost = '\xff'", "not UTF-8 at byte 17"),
    ],
)
def test_what_is_no_toml_is_told_by_its_place(tmp_path: Path, text: bytes, wrong: str) -> None:
    """A syntax error names line and column."""
    (problem,) = _problems(tmp_path, text)
    assert wrong in problem.wrong


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    """A path that leads nowhere points to `init`; a folder is no file."""
    with pytest.raises(ConfigurationError, match=r"no such file; run `switchgear init`"):
        load(tmp_path / "none.toml", environment={})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path, environment={})


def test_a_bad_variable_is_told_by_its_name(tmp_path: Path) -> None:
    """The file is not blamed for the environment."""
    (problem,) = _problems(tmp_path, "[server]\nport = 1", SWITCHGEAR_SERVER_PORT="abc")
    assert problem.where == "environment variable SWITCHGEAR_SERVER_PORT"
    assert "abc" in problem.wrong
    with pytest.raises(ConfigurationError, match="SWITCHGEAR_LOG_LEVEL"):
        default(environment={"SWITCHGEAR_LOG_LEVEL": "loud"})
    with pytest.raises(ConfigurationError, match=r"SWITCHGEAR_STORE_URL: 'sqlite://x.db' names no file"):
        default(environment={"SWITCHGEAR_STORE_URL": "sqlite://x.db"})


def test_values_of_headers_are_never_shown(tmp_path: Path) -> None:
    """A header's value may be a secret, also a wrong one."""
    text = HTTP + 'headers = { A = "s3cret\\n", B = { evn = "s3cret" } }'
    assert "s3cret" not in repr(_problems(tmp_path, text))


def test_where_the_pages_are_published_is_an_address(tmp_path: Path) -> None:
    """Every problem carries it, so what is no web address, or has a fragment of its own, is refused at once."""
    for wrong in ("docs.example.com", "ftp://docs.example.com", "https://docs.example.com/#top", "https://a b"):
        (problem,) = _problems(tmp_path, f'[server]\ndocumentation = "{wrong}"')
        assert problem.key == "server.documentation"
    file = tmp_path / "right.toml"
    file.write_text('[server]\ndocumentation = "https://docs.example.com/switchgear"', encoding="utf-8")
    assert load(file, environment={}).server.documentation == "https://docs.example.com/switchgear"
    assert default(environment={}).server.documentation is None


ONE_CAUSE = {
    "a broken dependency": (
        '[dependencies.redis]\nkind = "reddis"\n[tools."a.b"]\nfunction = "json:dumps"\nrequires = ["redis"]\n',
        ["dependencies.redis.kind", 'tools."a.b".function'],
    ),
    "a dependency that is not there": (
        HTTP + '[tools."crm.purge"]\n' + GET + 'requires = ["crmm"]\ndestructive = true\n'
        '[dependencies.crm]\nkind = "http"\nprobe = false\n',
        ['tools."crm.purge".requires[0]'],
    ),
    "a dependency without a kind of its own": (
        HTTP + '[dependencies.crm]\nkind = "htp"\n[tools."crm.purge"]\n' + GET + "destructive = true\n",
        ["dependencies.crm.kind"],
    ),
    "a lookup that is wrong itself": (
        HTTP
        + '[tools."crm.a"]\n'
        + GET
        + 'lookup = "crm.b"\nrevert = "crm.b"\n[tools."crm.b"]\n'
        + GET
        + "cost = -1\n",
        ['tools."crm.b".cost'],
    ),
    "a key that is misspelt": (
        '[dependencies.api]\nkind = "unix_socket"\nprobe = { pat = "/run/x", request = { do = "status" } }\n',
        ["dependencies.api.probe.pat"],
    ),
}


@pytest.mark.parametrize("cause", ONE_CAUSE)
def test_one_cause_is_one_line(tmp_path: Path, cause: str) -> None:
    """What follows from a mistake is not told as well: it would send people to lines with which nothing is wrong."""
    text, keys = ONE_CAUSE[cause]
    assert [problem.key for problem in _problems(tmp_path, text)] == keys


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ('[dependencies.x]\nkind = "redsi"', "did you mean redis?"),
        (
            '[dependencies.x]\nkind = "grpc"',
            "known are disk, function, http, memory, nats, redis, sql, tcp, unix_socket",
        ),
        (
            "[dependencies.x]\ncritical = true",
            "write kind, one of disk, function, http, memory, nats, redis, sql, tcp, unix_socket",
        ),
        (HTTP + '[tools."crm.x"]\n' + GET + 'effect = "keyd"', "did you mean keyed?"),
        (HTTP + '[tools."crm.x"]\n' + GET.replace("GET", "GETT"), "did you mean GET?"),
        (HTTP + '[tools."crm.x"]\n' + GET + 'lookup = "crm.y"', ""),  # itself is near, and no lookup
    ],
)
def test_a_wrong_word_is_met_with_the_one_that_was_meant(tmp_path: Path, text: str, write: str) -> None:
    """One that is near is proposed alone; else all are listed, in order. Nothing is proposed that cannot be right."""
    (problem,) = _problems(tmp_path, text)
    assert problem.write == write
