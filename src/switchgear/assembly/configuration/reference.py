"""Writes the reference page of the configuration from the models that check it."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence

from pydantic.fields import FieldInfo

from switchgear.assembly.configuration.guarding import DEFAULT_GUARD, policy_keys
from switchgear.assembly.configuration.loading import OVERRIDES, SECTIONS
from switchgear.assembly.configuration.probing import PROBES
from switchgear.assembly.configuration.problems import shown
from switchgear.assembly.configuration.sections import (
    ApprovalTable,
    BudgetTable,
    DependencyTable,
    FunctionConnectorTable,
    GuardTable,
    HttpConnectorTable,
    OutcomesTable,
    RevokeSessionsTable,
    ScimConnectorTable,
    Section,
    TenantTable,
    ToolTable,
)
from switchgear.core.operations import OPERATIONS
from switchgear.policies.breaker import Breaker
from switchgear.policies.bulkhead import Bulkhead
from switchgear.policies.rate_limit import RateLimit

_INTRODUCTION = """# Configuration

<!-- Generated from the models that check the file. Do not edit: `make docs` writes it. -->

One TOML file, `switchgear.toml`. Every key is optional unless it says *required*. Times are seconds. Unknown keys are
errors. `switchgear init` writes a first file, `switchgear check` names everything that is wrong with one. Paths of
files and modules count from the folder of the file.
"""

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "", dict: "table"}


def configuration_reference() -> str:
    """Return the page as Markdown."""
    parts = [
        _INTRODUCTION,
        _overrides(),
        *(_section(f"[{name}]", model) for name, model in SECTIONS.items()),
        _section("[limits.tenants.NAME]", TenantTable),
        _timeouts(),
        _section("[[approvals]]", ApprovalTable),
        _section("[[budgets]]", BudgetTable),
        _section('[connectors.NAME], kind = "http"', HttpConnectorTable),
        _section('[connectors.NAME], kind = "scim"', ScimConnectorTable),
        _section("[connectors.NAME.revoke_sessions]", RevokeSessionsTable),
        _section('[connectors.NAME], kind = "function"', FunctionConnectorTable),
        _section("[dependencies.NAME]", DependencyTable),
        *(_section(f'[dependencies.NAME.probe], kind = "{kind}"', table) for kind, table in PROBES.items()),
        _section("[connectors.NAME.guard] and [dependencies.NAME.guard]", GuardTable),
        _guards(),
        _section('[tools."NAME"]', ToolTable),
        _section('[tools."NAME".outcomes]', OutcomesTable),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _section(title: str, model: type[Section]) -> str:
    about = " ".join((model.__doc__ or "").split())
    rows = [_row(name, field) for name, field in model.model_fields.items()]
    return "\n".join([f"## {title}", "", about, "", *_table(("key", "value", "default", "meaning"), rows)])


def _row(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    standard = "*required*" if field.is_required() else _default(field.default)
    return f"`{name}`", _kind(field), standard, " ".join((field.description or "").split())


def _default(value: object) -> str:
    if value is None or value in ({}, []) or isinstance(value, Section):
        return "–"
    return f"`{shown(value)}`"


def _kind(field: FieldInfo) -> str:
    bounds = " ".join(_bounds(field))
    return f"{_words(field.annotation)}{f', {bounds}' if bounds else ''}"


def _bounds(field: FieldInfo) -> Iterator[str]:
    for rule in field.metadata:
        for name, word in (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤")):
            limit = getattr(rule, name, None)
            if limit is not None:
                yield f"{word} {limit}"


def _words(kind: object) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return ", ".join(f"`{shown(choice)}`" for choice in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(filter(None, map(_words, inner)))
    if origin is list:
        return f"list of {_words(inner[0])}"
    if kind is typing.Any:
        return "table or `false`"
    return next((word for known, word in _WORDS.items() if (origin or kind) is known), "table")


def _overrides() -> str:
    rows = [(f"`{o.variable}`", f"`[{o.section}] {o.key}`") for o in OVERRIDES]
    return "\n".join(["## Environment", "", "These beat the file.", "", *_table(("variable", "key"), rows)])


def _timeouts() -> str:
    rows = [(f'`"{o.name}"`', f"`{o.seconds}`", f"`{o.code}`") for o in OPERATIONS.values()]
    about = "How long one try of a built-in operation may take, in seconds above 0, and the code of a breach."
    return "\n".join(["## [timeouts]", "", about, "", *_table(("key", "default", "code"), rows)])


def _guards() -> str:
    rows = [
        ("`breaker`", _listed(policy_keys(Breaker, "breaker")), f"`{_options(DEFAULT_GUARD.breaker)}`"),
        ("`rate_limit`", _listed(policy_keys(RateLimit, "rate_limit")), "–"),
        ("`bulkhead`", _listed(policy_keys(Bulkhead, "bulkhead")), f"`{_options(DEFAULT_GUARD.bulkhead)}`"),
        (
            "`tenant_breaker`",
            _listed(policy_keys(Breaker, "tenant_breaker")),
            f"`{_options(DEFAULT_GUARD.tenant_breaker)}`",
        ),
        ("`tenant_rate_limit`", _listed(policy_keys(RateLimit, "tenant_rate_limit")), "–"),
    ]
    about = "The options are those of the guard. There is no `retry`: write `attempts` at the tool."
    return "\n".join([about, "", *_table(("policy", "options", "default"), rows)])


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _options(policy: Breaker | Bulkhead | None) -> str:
    names = policy_keys(type(policy), "breaker" if isinstance(policy, Breaker) else "bulkhead") if policy else []
    plain = type(policy)() if isinstance(policy, Breaker) else None
    given = {name: getattr(policy, name) for name in names if getattr(policy, name) != getattr(plain, name, None)}
    return f"{{ {', '.join(f'{name} = {value}' for name, value in given.items())} }}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
