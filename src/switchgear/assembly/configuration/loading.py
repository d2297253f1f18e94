"""Reads one TOML file and the environment into a `Configuration`. The only place that reads the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from switchgear.assembly.configuration.approving import approval_rules
from switchgear.assembly.configuration.budgeting import budgets_of
from switchgear.assembly.configuration.checking import checked
from switchgear.assembly.configuration.lookups import check_lookups
from switchgear.assembly.configuration.problems import ConfigurationError, Problem, Problems, shown
from switchgear.assembly.configuration.remotes import remotes_of
from switchgear.assembly.configuration.reverts import check_reverts
from switchgear.assembly.configuration.sections import (
    AccessSettings,
    EngineSettings,
    KillSwitchSettings,
    LedgerSettings,
    LimitsSettings,
    LogSettings,
    Section,
    ServerSettings,
    StoreSettings,
)
from switchgear.assembly.configuration.settings import Configuration
from switchgear.assembly.configuration.tooling import ToolReader
from switchgear.assembly.configuration.vouching import check_vouching
from switchgear.connectors.credentials import Credentials
from switchgear.core.errors import OptionError
from switchgear.core.operations import OPERATIONS, Operation, operations_with
from switchgear.storage.opening import checked_url

FILE_BYTES_MAX = 4_194_304
"""A longer configuration file is refused."""

SECTIONS: dict[str, type[Section]] = {
    "store": StoreSettings,
    "server": ServerSettings,
    "engine": EngineSettings,
    "limits": LimitsSettings,
    "kill_switches": KillSwitchSettings,
    "ledger": LedgerSettings,
    "access": AccessSettings,
    "log": LogSettings,
}
TOP_LEVEL = (*SECTIONS, "timeouts", "approvals", "budgets", "connectors", "dependencies", "tools")


class Override(NamedTuple):
    """An environment variable that beats a key of the file."""

    variable: str
    section: str
    key: str


OVERRIDES = (
    Override("SWITCHGEAR_STORE_URL", "store", "url"),
    Override("SWITCHGEAR_SERVER_HOST", "server", "host"),
    Override("SWITCHGEAR_SERVER_PORT", "server", "port"),
    Override("SWITCHGEAR_LOG_LEVEL", "log", "level"),
)


def load(path: str | Path, *, environment: Mapping[str, str] | None = None) -> Configuration:
    """Return the configuration of the file at `path`. Functions that its tools name are imported.

    `environment` is the process's own when None. Raises `ConfigurationError`, an `OptionError`, that lists everything
    that is wrong.
    """
    file = Path(path)
    return _configuration(_parsed(file), str(file), file.resolve().parent, environment)


def default(store: str | None = None, *, environment: Mapping[str, str] | None = None) -> Configuration:
    """Return the configuration that holds without a file. `store` is the store's URL.

    Raises `ConfigurationError` as `load` does.
    """
    variables = dict(os.environ if environment is None else environment)
    if store is not None:
        variables.pop("SWITCHGEAR_STORE_URL", None)  # what the caller says beats the environment
    raw: dict[str, Any] = {} if store is None else {"store": {"url": store}}
    return _configuration(raw, "", Path.cwd(), variables)


def _parsed(file: Path) -> dict[str, Any]:
    text = _text(file)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        lines = text.split("\n")
        end = f"at line {len(lines)}, column {len(lines[-1]) + 1}"
        wrong = str(error).replace("at end of document", end)
        raise _unreadable(file, f"is not TOML: {wrong}", "correct that place") from None
    except RecursionError:
        raise _unreadable(file, "is nested too deep", "use tables of fewer levels") from None


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise _unreadable(file, f"is longer than {FILE_BYTES_MAX} bytes", "keep it shorter")
        return content.decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError:
        raise _unreadable(file, "there is no such file", "run `switchgear init` to write one") from None
    except OSError as error:
        raise _unreadable(file, f"cannot be read: {error.strerror}", "name a readable file") from None
    except UnicodeDecodeError as error:
        raise _unreadable(file, f"is not UTF-8 at byte {error.start}", "save it as UTF-8") from None


def _unreadable(file: Path, wrong: str, write: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(file), "", wrong, write)])


def _configuration(
    raw: dict[str, Any], source: str, folder: Path, environment: Mapping[str, str] | None
) -> Configuration:
    variables = os.environ if environment is None else environment
    problems = Problems(source or "configuration")
    raw = _overridden(raw, variables, problems)
    for name in raw:
        if name not in TOP_LEVEL:
            problems.unknown((name,), TOP_LEVEL)
    operations = _operations(raw.get("timeouts", {}), problems)
    remotes = remotes_of(raw, operations, folder, problems)
    tools = ToolReader(remotes, operations, folder, problems).read(raw)
    named = list(raw.get("tools", ())) if isinstance(raw.get("tools"), Mapping) else []
    check_lookups(tools, named, problems)
    check_reverts(tools, named, problems)
    check_vouching(tools, remotes, problems)
    sections: dict[str, Any] = {
        name: checked(model, raw.get(name, {}), (name,), problems) for name, model in SECTIONS.items()
    }
    approvals = approval_rules(raw, problems)
    budgets = budgets_of(raw, problems)
    _check_store(sections["store"], problems)
    problems.finish()
    return Configuration(
        source=source,
        operations=operations,
        connections=remotes.connections,
        guards=remotes.guards,
        dependencies=tuple(remotes.watched),
        tools=tools,
        approvals=approvals,
        budgets=budgets,
        credentials=Credentials(variables, folder),
        **sections,
    )


def _check_store(store: StoreSettings | None, problems: Problems) -> None:
    """Add what is wrong with the store's URL. Nothing is opened."""
    if store is None:
        return
    try:
        checked_url(store.url)
    except OptionError as error:
        problems.add(("store", "url"), error.message)


def _overridden(raw: dict[str, Any], variables: Mapping[str, str], problems: Problems) -> dict[str, Any]:
    for variable, section, key in OVERRIDES:
        text = variables.get(variable)
        table = raw.get(section, {})
        if text and isinstance(table, Mapping):
            is_number = SECTIONS[section].model_fields[key].annotation is int and text.isascii() and text.isdigit()
            raw = {**raw, section: {**table, key: int(text) if is_number else text}}
            problems.set_by(variable, (section, key))
    return raw


def _operations(table: object, problems: Problems) -> dict[str, Operation]:
    """Read ``[timeouts]``. Unquoted keys (``http.connect = 3``) come as tables in tables and mean the same."""
    if not isinstance(table, Mapping):
        problems.add(("timeouts",), f"must be a table, not {shown(table)}", "write [timeouts]")
        return dict(OPERATIONS)
    overrides: dict[str, float] = {}
    for name, seconds in _flat(table).items():
        if name not in OPERATIONS:
            problems.unknown(("timeouts", name), OPERATIONS)
        elif isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < float("inf"):
            example = f'write for example "{name}" = {OPERATIONS[name].seconds}'
            problems.add(("timeouts", name), f"must be seconds above 0, not {shown(seconds)}", example)
        else:
            overrides[name] = float(seconds)
    return operations_with(overrides)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
