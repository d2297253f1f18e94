"""Presets: what comes with Switchgear is as it is named, and a file that cannot work is refused with a way out."""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import fields
from http.client import HTTPException
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import pytest

from switchgear import (
    Breaker,
    CircuitOpen,
    DeadlineExceeded,
    Fallback,
    Guard,
    Hedge,
    OptionError,
    RateLimit,
    Retry,
    RetryBudget,
    Timeout,
)
from switchgear.guard import presets
from switchgear.guard.presets import Presets, preset
from switchgear.testing import VirtualClock

BUILT_IN = {"github_raw": (5, 60.0), "web_fetch": (5, 60.0), "github_search": (3, 120.0), "duckduckgo": (3, 90.0)}
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "use-presets.md"


def read(folder: Path, text: str) -> Presets:
    """Read a file with this text."""
    file = folder / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return Presets.read(file)


def refusal(folder: Path, text: str) -> str:
    """Return what the refusal of a file says after the file's name."""
    with pytest.raises(OptionError) as caught:
        read(folder, text)
    file = f"{folder / 'mine.toml'}: "
    assert caught.value.message.startswith(file)
    return caught.value.message.removeprefix(file)


def fail() -> None:
    """Fail as a dependency does."""
    raise ConnectionError


# -- What comes with Switchgear ------------------------------------------------------------------------------


def test_the_named_presets_are_there() -> None:
    """The four names of the field are presets, and no other."""
    assert Presets.built_in().names == tuple(BUILT_IN)


@pytest.mark.parametrize(("name", "numbers"), BUILT_IN.items(), ids=BUILT_IN)
def test_a_preset_opens_after_its_failures_for_its_cooldown(name: str, numbers: tuple[int, float]) -> None:
    """So many failures in a row open it, not one fewer, for exactly the seconds that it is named for."""
    failures, cooldown = numbers
    clock = VirtualClock()
    guard = preset(name, clock=clock)
    for _ in range(failures):
        assert guard.state == "closed"
        with pytest.raises(ConnectionError):
            guard.call(fail)
    with pytest.raises(CircuitOpen) as refused:
        guard.call(fail)
    assert refused.value.retry_after == pytest.approx(cooldown)
    clock.advance(cooldown)
    assert guard.state == "half_open"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_preset_is_bounded_limited_and_read_only(name: str) -> None:
    """A preset has a timeout and a rate limit, and its calls are declared as reading only."""
    options = Presets.built_in().options[name]
    assert set(options) == {"effect", "timeout", "breaker", "rate_limit"}
    assert options["effect"] == "read_only"
    assert preset(name, hedge=Hedge(after=1.0), fallback=Fallback(value=None)).name == name


def test_each_guard_has_a_state_of_its_own() -> None:
    """Two users of a preset do not open each other's breaker."""
    broken, fresh = (preset("duckduckgo", clock=VirtualClock()) for _ in range(2))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            broken.call(fail)
    assert (broken.state, fresh.state) == ("open", "closed")


def test_the_page_shows_the_presets_of_the_file() -> None:
    """The table in the documentation says what the file says."""
    text = PAGE.read_text(encoding="utf-8")
    shown = text.partition("<!-- presets: begin")[2].partition("-->")[2].partition("<!-- presets: end")[0]
    assert shown.strip() == table_of(files("switchgear.guard").joinpath("presets.toml").read_text(encoding="utf-8"))


def table_of(text: str) -> str:
    """Return the table of the documentation for a file of presets."""
    rows = ["| Preset | Opens after | Stays open | Timeout | Rate limit |", "|---|---|---|---|---|"]
    for name, options in tomllib.loads(text)["presets"].items():
        breaker, limit = options["breaker"], options["rate_limit"]
        rows.append(
            f"| `{name}` | {breaker['failures']} failures in a row | {breaker['cooldown']:g} s | "
            f"{options['timeout']:g} s | {limit['limit']} in {limit['per']:g} s, {limit['burst']} at once |"
        )
    return "\n".join(rows)


# -- Changes -------------------------------------------------------------------------------------------------


def test_a_change_takes_the_place_of_the_option() -> None:
    """Changes are options of the guard; None takes a policy away, and `name` names the guard."""
    clock = VirtualClock()
    guard = preset("github_search", name="code", timeout=Timeout(1.5), breaker=None, rate_limit=None, clock=clock)
    for _ in range(20):
        with pytest.raises(ConnectionError):
            guard.call(fail)
    assert (guard.name, guard.timeout_seconds, guard.state) == ("code", 1.5, "closed")


def test_a_change_that_is_no_option_is_refused() -> None:
    """What looks like an option of a policy is answered with how to change the policy."""
    with pytest.raises(OptionError, match=r"takes no 'failures'; .* breaker=Breaker\(failures=3\)"):
        preset("web_fetch", failures=3)


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    """The refusal names the file, and what to write."""
    with pytest.raises(OptionError) as caught:
        preset("githubraw")
    assert caught.value.message == (
        "switchgear/guard/presets.toml: presets.githubraw: there is no such preset; did you mean github_raw?"
    )


# -- Files of a user -----------------------------------------------------------------------------------------


def test_a_file_says_all_that_a_guard_takes(tmp_path: Path) -> None:
    """Each key becomes the option that code would have given."""
    found = read(
        tmp_path,
        """
        [presets.crm]
        timeout = 2
        deadline = 10.0
        effect = "read_only"
        dry_run = true
        keys_max = 50
        breaker = { failure_rate = 0.5, on = ["OSError", "DeadlineExceeded"], mode = "observe" }
        rate_limit = { limit = 10, per = 2.0, wait = 1.0 }
        fallback = { value = [], ignore = ["ValueError"] }
        hedge = { percentile = 0.9, maximum = 1.0 }
        [presets.crm.shedding]
        queue = 8
        shares = { sheddable = 0.2 }
        weights = { acme = 2 }
        [presets.crm.retry]
        on = ["OSError"]
        backoff = "constant"
        budget = { ratio = 0.1, costs = { TimeoutError = 2.0 } }
        """,
    )
    options = found.options["crm"]
    assert options["breaker"] == Breaker(failure_rate=0.5, on=(OSError, DeadlineExceeded), mode="observe")
    assert options["rate_limit"] == RateLimit(10, per=2.0, wait=1.0)
    budget = RetryBudget(ratio=0.1, costs={TimeoutError: 2.0})
    assert options["retry"] == Retry(on=(OSError,), backoff="constant", budget=budget)
    assert options["fallback"].value == []
    assert options["shedding"].shares["sheddable"] == 0.2
    assert options["timeout"] == Timeout(2)
    assert found.guard("crm").name == "crm"


def test_errors_of_a_library_have_dotted_names(tmp_path: Path) -> None:
    """Module and class name an exception, wherever exceptions are named; a class inside a class as well."""
    found = read(
        tmp_path,
        """
        [presets.x]
        breaker = { ignore = ["http.client.HTTPException", "builtins.KeyError"] }
        [presets.x.retry]
        on = ["OSError", "httpx2.TransportError", "switchgear.core.errors.DeadlineExceeded"]
        budget = { costs = { "httpx2.TimeoutException" = 2.0 } }
        """,
    )
    options = found.options["x"]
    assert options["breaker"].ignore == (HTTPException, KeyError)
    assert options["retry"].on == (OSError, httpx2.TransportError, DeadlineExceeded)
    assert options["retry"].budget.costs == ((httpx2.TimeoutException, 2.0),)


def test_what_a_module_raises_while_it_is_imported_comes_out_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in a user's own module is shown where it was made, not as one of the file of presets."""
    (tmp_path / "broken_client.py").write_text("raise RuntimeError('no licence')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RuntimeError, match="no licence"):
        read(tmp_path, '[presets.x]\nretry = { on = ["broken_client.Busy"] }')


ADVICE = {
    "bulkhead = { limit = 32, queue = -1 }": "queue = 64",
    "rate_limit = { limit = 10, per = 0 }": "per = 1.0",
    "rate_limit = { limit = 1e300, per = 1e-300 }": "limit = 10, per = 60.0",
    'breaker = { mode = "off" }': 'mode = "observe"',
    "breaker = { slow_rate = 0.5 }": "slow_rate = 0.5, slow_after = 2.0",
    "breaker = { minimum_calls = 20, window_calls = 10 }": "minimum_calls = 10",
    "shedding = { shares = { sheddable = 0 } }": "shares = { sheddable = 0.6 }",
    "shedding = { shares = { critical = 0.5 } }": "shares = { critical = 0.8 }",
    "shedding = { weights = { acme = 2 } }": "weights = { acme = 2.0 }",
    "shedding = { minimum = 9, maximum = 8 }": "minimum = 9",
    'retry = { on = ["OSError"], base = 20.0 }': "cap = 20.0",
    'retry = { on = ["OSError"], budget = { costs = { OSError = -1 } } }': "costs = { TimeoutError = 2.0 }",
    "hedge = { after = 0.2, attempts = 9 }": "attempts = 2",
}


@pytest.mark.parametrize(("wrong", "right"), ADVICE.items(), ids=ADVICE)
def test_advice_on_a_file_is_toml(wrong: str, right: str, tmp_path: Path) -> None:
    """What to write stands there as it has to stand in the file, and TOML reads it."""
    said = refusal(tmp_path, f"[presets.x]\n{wrong}")
    assert f"; write for example {right}" in said
    assert tomllib.loads(f"x = {{ {right} }}")


def test_false_is_a_retry_without_budget(tmp_path: Path) -> None:
    """TOML has no None, so false stands for a budget that is not wanted."""
    found = read(tmp_path, '[presets.x]\nretry = { on = ["OSError"], budget = false }')
    assert found.options["x"]["retry"].budget is None


def test_what_was_read_does_not_change(tmp_path: Path) -> None:
    """Options are frozen, so one guard cannot alter the next."""
    found: Any = read(tmp_path, "[presets.x]\ntimeout = 1.0")
    with pytest.raises(TypeError):
        found.options["x"]["timeout"] = Timeout(5.0)


REFUSED = {
    "no TOML": ("[presets", "is no TOML: Expected ']' at the end of a table declaration (at end of document); write"),
    "nothing": ("", "there are no presets in it; write [presets.NAME], and options under it"),
    "a word": ("presets = 3", "there are no presets in it; write [presets.NAME], and options under it"),
    "other key": ("[guards.x]", "guards: there is no such key; write every preset as [presets.NAME]"),
    "no table": ("[presets]\nx = 3", "presets.x: must be a table, not 3; write x = { … }"),
    "unknown policy": ("[presets.x]\nbraker = {}", "presets.x.braker: there is no such key; did you mean breaker?"),
    "quoted key": ('[presets."a.b"]\nzz = 1', 'presets."a.b".zz: there is no such key; known are timeout, '),
    "policy is a word": (
        "[presets.x]\nbreaker = true",
        "presets.x.breaker: must be a table, not True; write breaker =",
    ),
    "unknown option": (
        "[presets.x]\nbreaker = { cooldwn = 1 }",
        "presets.x.breaker.cooldwn: there is no such key; did you mean cooldown?",
    ),
    "worked out": ("[presets.x]\nbreaker = { thresholds = 1 }", "presets.x.breaker.thresholds: there is no such key; "),
    "wrong value": (
        "[presets.x]\nbreaker = { failures = 0 }",
        "presets.x.breaker.failures: needs a whole number of at least 1, not 0; write for example failures = 5",
    ),
    "wrong type": (
        '[presets.x]\nbreaker = { failures = "5" }',
        "presets.x.breaker.failures: needs a whole number of at least 1, not '5'; write for example failures = 5",
    ),
    "compared too soon": (
        '[presets.x]\nbreaker = { window_calls = "5" }',
        "presets.x.breaker.window_calls: needs a whole number of at least 1, not '5'; write for example window_calls",
    ),
    "no word": (
        '[presets.x]\nretry = { on = ["OSError"], backoff = ["constant"] }',
        'presets.x.retry.backoff: is one of "full_jitter", "equal_jitter", "decorrelated", "exponential", "constant", ',
    ),
    "together in a policy": (
        "[presets.x]\nbreaker = { failures = 5, failure_rate = 0.5 }",
        (
            "presets.x.breaker: Breaker takes failures= or a rate over a window, not both; drop one of them, "
            "and write for example failures = 5 or failure_rate = 0.5, window = 60.0"
        ),
    ),
    "missing limit": (
        "[presets.x]\nrate_limit = { per = 1.0 }",
        "presets.x.rate_limit.limit: is missing; write for example limit = 10",
    ),
    "missing on": (
        "[presets.x]\nretry = { attempts = 3 }",
        'presets.x.retry.on: is missing; write for example on = ["ConnectionError", "TimeoutError"]',
    ),
    "errors as a word": (
        '[presets.x]\nretry = { on = "OSError" }',
        "presets.x.retry.on: must be a list of names of exceptions, not 'OSError'; write for example on = [",
    ),
    "no errors": (
        "[presets.x]\nretry = { on = [] }",
        "presets.x.retry.on: must be a list of names of exceptions, not []",
    ),
    "module that is not there": (
        '[presets.x]\nretry = { on = ["no_such_module.Timeout"] }',
        (
            "presets.x.retry.on: 'no_such_module.Timeout' cannot be imported: No module named 'no_such_module'; "
            "install what brings no_such_module, or leave the name out"
        ),
    ),
    "class that is not there": (
        '[presets.x]\nretry = { on = ["OSError", "http.client.Nope"] }',
        "presets.x.retry.on: 'http.client.Nope' cannot be imported: module 'http.client' has no attribute 'Nope'; ",
    ),
    "function of a module": (
        '[presets.x]\nbreaker = { ignore = ["json.loads"] }',
        "presets.x.breaker.ignore: 'json.loads' is no Exception class, but <function loads at ",
    ),
    "interrupt of a module": (
        '[presets.x]\nbreaker = { on = ["asyncio.CancelledError"] }',
        "presets.x.breaker.on: 'asyncio.CancelledError' is no Exception class, but <class ",
    ),
    "no dotted name": (
        '[presets.x]\nbreaker = { on = [".OSError"] }',
        "presets.x.breaker.on: '.OSError' is no dotted name; write a built-in one such as",
    ),
    "name with a colon": (
        '[presets.x]\nbreaker = { on = ["http.client:HTTPException"] }',
        "presets.x.breaker.on: 'http.client:HTTPException' is no dotted name; ",
    ),
    "no exception": ('[presets.x]\nretry = { on = ["print"] }', "presets.x.retry.on: 'print' is neither a built-in "),
    "interrupt": (
        '[presets.x]\nbreaker = { on = ["KeyboardInterrupt"] }',
        "presets.x.breaker.on: 'KeyboardInterrupt' is ",
    ),
    "error as number": (
        "[presets.x]\nretry = { on = [5] }",
        "presets.x.retry.on: 5 is neither a built-in Exception nor",
    ),
    "costs": (
        '[presets.x]\nretry = { on = ["OSError"], budget = { costs = { Nope = 1 } } }',
        "presets.x.retry.budget.costs: 'Nope' is neither a built-in Exception nor an error of Switchgear; write a ",
    ),
    "budget": (
        '[presets.x]\nretry = { on = ["OSError"], budget = true }',
        "presets.x.retry.budget: must be a table, not True; write budget = { … }",
    ),
    "budget value": (
        '[presets.x]\nretry = { on = ["OSError"], budget = { ratio = -1 } }',
        "presets.x.retry.budget.ratio: needs a number of at least 0, not -1; write for example ratio = 0.2",
    ),
    "timeout": (
        '[presets.x]\ntimeout = "soon"',
        "presets.x.timeout: needs seconds above 0, not 'soon'; write for example timeout = 10.0",
    ),
    "deadline": (
        "[presets.x]\ndeadline = 0",
        "presets.x.deadline: needs seconds above 0, not 0; write for example deadline = 20.0",
    ),
    "effect": ('[presets.x]\neffect = "reads"', "presets.x: effect is one of "),
    "dry run": (
        '[presets.x]\ndry_run = "yes"',
        "presets.x.dry_run: must be true or false, not 'yes'; write dry_run = true",
    ),
    "code": (
        "[presets.x]\nfaults = {}",
        "presets.x.faults: is nothing that a file can say; leave it out, and write pre",
    ),
    "function": ('[presets.x]\nfallback = { function = "f" }', "presets.x.fallback.function: there is no such key; "),
    "together": (
        "[presets.x]\nhedge = { after = 0.2 }",
        "presets.x.hedge: sends a call twice, so the calls have to be declared safe for that; write effect=",
    ),
}


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_work_is_refused(text: str, says: str, tmp_path: Path) -> None:
    """The refusal names file, preset and key, and what to write."""
    said = refusal(tmp_path, text)
    assert said.startswith(says)
    assert "; " in said


def test_every_preset_of_a_file_is_checked_when_it_is_read(tmp_path: Path) -> None:
    """A mistake is found at the start, not when the preset is first used."""
    said = refusal(tmp_path, "[presets.good]\ntimeout = 1.0\n[presets.bad]\ntimeout = -1.0")
    assert said.startswith("presets.bad.timeout: ")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"#" * (presets.FILE_BYTES_MAX + 1)], ids=["no text", "too large"])
def test_what_is_no_file_of_presets_is_refused(content: bytes, tmp_path: Path) -> None:
    """Bytes that are no UTF-8, or too many, are refused with the name of the file."""
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(OptionError, match=r"mine\.toml: is "):
        Presets.read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The refusal names the path, and keeps the cause."""
    with pytest.raises(OptionError, match=r"gone\.toml: cannot be read: ") as caught:
        Presets.read(str(tmp_path / "gone.toml"))
    assert isinstance(caught.value.__cause__, FileNotFoundError)


# -- Nothing is forgotten ------------------------------------------------------------------------------------


def test_every_option_of_a_guard_has_its_place() -> None:
    """A new option of `Guard` is either a key of a preset or said to need code."""
    taken = set(inspect.signature(Guard).parameters)
    assert taken == {"name", *presets.VALUES, *presets.POLICIES, *presets.IN_CODE}


@pytest.mark.parametrize("key", presets.POLICIES)
def test_every_option_of_a_policy_can_be_written(key: str, tmp_path: Path) -> None:
    """A new option of a policy is a key of its table; of all there are, a fallback's function alone needs code."""
    options = {option.name for option in fields(presets.POLICIES[key]) if option.init} - {"function"}
    said = refusal(tmp_path, f"[presets.x]\n{key} = {{ zzzzzz = 1 }}")
    assert set(said.partition("known are ")[2].split(", ")) == options
