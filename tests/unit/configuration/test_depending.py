"""The `[dependencies.NAME]` of a file become dependencies with probes, and what is wrong with them is named."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

import pytest

from switchgear.assembly.configuration import Configuration, load
from switchgear.assembly.configuration.depending import NOT_OPTIONS
from switchgear.assembly.configuration.probing import PROBES
from switchgear.assembly.configuration.problems import ConfigurationError
from switchgear.assembly.configuration.sections import DependencyTable
from switchgear.core.clock import SYSTEM_CLOCK
from switchgear.health import Dependency, ProbeFailed
from switchgear.health.dependency import Kind
from switchgear.policies.timeout import Timeout

EXAMPLES = {
    "http": 'url = "http://127.0.0.1:1/healthz", statuses = [200], headers = { A = "b" }',
    "tcp": 'host = "127.0.0.1", port = 6379, expects = "+PONG", send = "PING\\r\\n"',
    "unix_socket": 'path = "daemon.sock", request = { do = "status" }',
    "redis": 'url = "redis://127.0.0.1:1/0", username = "probe", password = { env = "REDIS_PASSWORD" }',
    "nats": 'servers = ["nats://127.0.0.1:1"], jetstream = false, token = { env = "NATS_TOKEN" }',
    "sql": 'path = "orders.db"',
    "function": 'function = "os:getcwd"',
    "disk": 'folder = "."',
    "memory": "available_bytes_min = 1",
}


def loaded(folder: Path, text: str, **environment: str) -> Configuration:
    """Return the configuration of a file of `text`."""
    file = folder / "switchgear.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, environment=environment)


def test_every_option_of_a_dependency_is_a_key_with_the_same_default() -> None:
    """The file and the library say the same, so the pages about one are true for the other."""
    options = {option.name: option.default for option in fields(Dependency) if option.name not in ("name", "kind")}
    keys = {name: field.default for name, field in DependencyTable.model_fields.items() if name not in NOT_OPTIONS}
    assert keys == options
    assert set(PROBES) == set(EXAMPLES) == set(Kind)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_has_a_probe(tmp_path: Path, kind: str) -> None:
    """It is made without opening anything, and reads no secret before it asks."""
    text = f'[dependencies.it]\nkind = "{kind}"\nprobe_timeout = 1.5\nprobe = {{ {EXAMPLES[kind]} }}'
    configuration = loaded(tmp_path, text)
    (declared,) = configuration.dependencies
    assert declared.dependency == Dependency("it", kind=kind, probe_timeout=1.5)
    assert callable(declared.build_probe(configuration.credentials.read))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_any_kind_may_be_probed_by_a_function_or_not_at_all(tmp_path: Path, kind: str) -> None:
    """`kind` changes no rule, and `probe = false` leaves it to the calls."""
    text = f'[dependencies.a]\nkind = "{kind}"\nprobe = false\n[dependencies.b]\nkind = "{kind}"\n'
    silent, asked = loaded(tmp_path, text + 'probe = { function = "os:getcwd" }').dependencies
    assert silent.build_probe(str) is None
    assert callable(asked.build_probe(str))


def test_a_connector_gets_health_by_a_table_of_its_name(tmp_path: Path) -> None:
    """Its guard stands at one of the two, and its health here."""
    text = '[connectors.crm]\nkind = "http"\nbase_url = "https://crm.example"\nguard = { timeout = 2.0 }\n'
    configuration = loaded(tmp_path, text + '[dependencies.crm]\nkind = "http"\nprobe = false')
    (declared,) = configuration.dependencies
    assert (declared.dependency.name, configuration.guard_of("crm").timeout) == ("crm", Timeout(2.0))


async def test_paths_count_from_the_folder_of_the_file_and_functions_are_found_there(tmp_path: Path) -> None:
    """A probe of a folder that is named relatively looks at the one beside the file."""
    (tmp_path / "here").mkdir()
    text = '[dependencies.disk]\nkind = "disk"\nprobe = { folder = "here", free_bytes_min = 1, write = false }'
    (declared,) = loaded(tmp_path, text).dependencies
    probe = declared.build_probe(str, clock=SYSTEM_CLOCK)
    assert probe is not None
    assert "free" in str(await probe())


async def test_a_secret_is_read_when_it_asks_and_a_missing_one_is_a_no(tmp_path: Path) -> None:
    """The place is named, the value never."""
    text = '[dependencies.api]\nkind = "http"\nprobe = { url = "http://127.0.0.1:1/", headers = { A = { env = "B" } } }'
    configuration = loaded(tmp_path, text)
    probe = configuration.dependencies[0].build_probe(configuration.credentials.read)
    assert probe is not None
    with pytest.raises(ProbeFailed, match="environment variable B is missing"):
        await probe()
    (warning,) = configuration.warnings()
    assert "dependencies.api.probe" in warning
    given = loaded(tmp_path, text, B="secret")
    asked = given.dependencies[0].build_probe(given.credentials.read)
    assert asked is not None
    with pytest.raises(OSError, match="refused"):
        await asked()
    assert given.warnings() == []


@pytest.mark.parametrize("kind", ["redis", "nats"])
def test_a_client_that_is_not_installed_is_named_at_the_check(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the first probe, when nobody looks."""
    for module in (f"switchgear.adapters.{kind}", f"switchgear.adapters.{kind}.probe"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, f'[dependencies.it]\nkind = "{kind}"\nprobe = {{ {EXAMPLES[kind]} }}')
    (problem,) = refused.value.problems
    assert (problem.key, "switchgear.adapters" in problem.wrong) == ("dependencies.it.probe", True)


K = '[dependencies.it]\nkind = "{}"\n'


@pytest.mark.parametrize(
    ("text", "key", "wrong", "write"),
    [
        ('[dependencies.it]\nkind = "rediss"', "dependencies.it.kind", 'cannot be "rediss"', "did you mean redis?"),
        ("[dependencies.it]\ncritical = true", "dependencies.it.kind", "is missing, and critical", "nats, redis, sql"),
        (K.format("redis"), "dependencies.it.probe", "is missing", 'url = "redis://127.0.0.1:6379/0" }, or probe = f'),
        (K.format("tcp"), "dependencies.it.probe", "is missing", 'expects = "+PONG" }, or probe = false'),
        (K.format("sql"), "dependencies.it.probe", "needs either path or connect", 'path = "orders.db"'),
        (K.format("redis") + "probe = { ur = 1 }", "dependencies.it.probe.ur", "no such key", "did you mean url?"),
        (K.format("redis") + "probe = true", "dependencies.it.probe", "cannot be true", "probe = false"),
        (K.format("tcp") + 'probe = { host = "a", port = 0, expects = false }', "dependencies.it.probe.port", "1", ""),
        (
            K.format("memory") + "freshness = 5",
            "dependencies.it.freshness",
            "needs more than the 13 s",
            "freshness = 26",
        ),
        (K.format("memory") + "up_after = 1", "dependencies.it.up_after", "at least 2", "up_after = 2"),
        (K.format("http") + 'probe = { url = "htp://x" }', "dependencies.it.probe", "http or https URL", ""),
        (K.format("redis") + 'probe = { url = "http://x" }', "dependencies.it.probe", "redis://", ""),
        (
            K.format("redis") + 'probe = { url = "redis://:hunter2@x" }',
            "dependencies.it.probe.url",
            "holds credentials",
            'password = { env = "NAME" }',
        ),
        (
            K.format("redis") + 'probe = { url = "redis://x", password = "hunter2" }',
            "dependencies.it.probe.password",
            "must be a reference",
            "{ env = ",
        ),
        (
            K.format("http") + 'probe = { url = "http://x", headers = { A = { tenants = { t = { env = "B" } } } } }',
            "dependencies.it.probe.headers.A",
            "in nobody's name",
            "{ env = ",
        ),
        (K.format("function") + 'probe = { function = "os:no" }', "dependencies.it.probe.function", "no 'no'", ""),
        (K.format("function") + 'probe = { function = "os" }', "dependencies.it.probe.function", "function path", ""),
    ],
)
def test_each_mistake_has_its_words(tmp_path: Path, text: str, key: str, wrong: str, write: str) -> None:
    """The problem names the key, says what is wrong and what to write, and never shows a secret."""
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, text)
    problems = {problem.key: problem for problem in refused.value.problems}
    assert key in problems
    assert wrong in problems[key].wrong
    assert write in problems[key].write
    assert "hunter2" not in str(refused.value)


HTTP = 'kind = "http"\nprobe = { url = "htp://x" }\n'
MISSING = 'kind = "memory"\nprobe = { function = "no_such_module:probe" }\n'
AT_ONCE = {
    "another key": ("[dependencies.it]\nprob_every = 3\n" + HTTP, {"it.prob_every", "it.probe"}),
    "another value": ("[dependencies.it]\nprobe_every = 0\n" + HTTP, {"it.probe_every", "it.probe"}),
    "options that cannot be": ("[dependencies.it]\nfreshness = 5\n" + HTTP, {"it.freshness", "it.probe"}),
    "another key of the probe": (
        '[dependencies.it]\nkind = "http"\nprobe = { url = "htp://x", statuss = [200] }',
        {"it.probe.statuss", "it.probe"},
    ),
    "a secret": (
        '[dependencies.it]\nkind = "redis"\nprobe = { url = "http://x", password = "p" }',
        {"it.probe.password", "it.probe"},
    ),
    "a module and another key": (
        "[dependencies.it]\nprob_every = 3\n" + MISSING,
        {"it.prob_every", "it.probe.function"},
    ),
    "a module and options": ("[dependencies.it]\nfreshness = 5\n" + MISSING, {"it.freshness", "it.probe.function"}),
    "two dependencies": ("[dependencies.a]\n" + HTTP + "[dependencies.b]\n" + MISSING, {"a.probe", "b.probe.function"}),
    "what is told already": ('[dependencies.it]\nkind = "http"\nprobe = true', {"it.probe"}),
    "a wrong kind alone": ('[dependencies.it]\nkind = "htp"\nprobe = { url = "htp://x" }', {"it.kind"}),
    "half a sql probe": ('[dependencies.it]\nkind = "sql"\nprobe = { path = 1 }', {"it.probe.path"}),
}


@pytest.mark.parametrize("case", AT_ONCE)
def test_what_is_wrong_with_a_probe_is_told_with_all_the_rest(tmp_path: Path, case: str) -> None:
    """Nobody mends one line only to be told of the next; and what follows from a mistake is no mistake of its own."""
    text, keys = AT_ONCE[case]
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, text)
    assert sorted(problem.key for problem in refused.value.problems) == sorted(f"dependencies.{key}" for key in keys)


@pytest.mark.parametrize(
    ("rest", "key"),
    [
        ("tiemout = 3", "tiemout"),
        ("timeout = 0", "timeout"),
        ('connector = "nobody"', "connector"),
        ("cost = -1", "cost"),
    ],
)
def test_a_module_that_is_missing_is_told_with_what_else_is_wrong_with_a_tool(
    tmp_path: Path, rest: str, key: str
) -> None:
    """A tool's function is looked for also where its table has another mistake."""
    with pytest.raises(ConfigurationError) as refused:
        loaded(tmp_path, f'[tools.greet]\nfunction = "no_such_module:greet"\n{rest}')
    assert {problem.key for problem in refused.value.problems} == {"tools.greet.function", f"tools.greet.{key}"}
