"""Makes the straight drivers for a set of policies out of their one template.

The source of the template is read once. For a set of policies its switches are replaced by True and False, and for
blocking calls `await` is taken out; what can never be reached then is left out. Line numbers stay those of
the template, so tracebacks, debuggers and profilers show its source. Where there is no source, such as in an
installation of bytecode alone, and for interpreters in which straight sections do not hold, there are no straight
drivers, and calls take the general ones.

The driver of a decorated function takes the parameters of that function, where it shows them: see
`switchgear.guard.parameters`.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any

from switchgear.guard import straight
from switchgear.guard.member import Member
from switchgear.guard.parameters import Shape, shape_of, take_parameters
from switchgear.guard.plan import Plan
from switchgear.guard.terms import Terms

_BOUND = "BOUND"
_BOUND_PARAMETERS = "*args, **kwargs"
Switches = tuple[tuple[str, bool], ...]


def straight_driver(plan: Plan, *, asynchronous: bool) -> straight.Driver | None:
    """Return the driver for guards with this `plan`, or None when there can be none."""
    make = _maker(plan, asynchronous=asynchronous, bound=False, shape=None)
    return None if make is None else make(plan)


def bound_driver(
    member: Member, terms: Terms, function: Callable[..., Any], otherwise: straight.Driver, *, asynchronous: bool
) -> straight.Driver | None:
    """Return `function` guarded, as one function that takes its arguments, or None when there can be none.

    Calls that do not go straight, and all of them once the guard has another plan, go to `otherwise`.
    """
    shape = shape_of(function)
    make = _maker(member.plan, asynchronous=asynchronous, bound=True, shape=shape)
    if make is None:
        return None
    driver = make(member.plan, member, terms, function, otherwise)
    if shape is not None:
        take_parameters(driver, function, shape)
    return driver


def _maker(
    plan: Plan, *, asynchronous: bool, bound: bool, shape: Shape | None
) -> Callable[..., straight.Driver] | None:
    if not plan.allows_straight or (plan.timeout is not None and not asynchronous):
        return None  # a blocking call with a timeout runs in a worker thread, which is never quick
    policies = (plan.breaker, plan.rate_limit, plan.bulkhead, plan.timeout)
    breaker, limit, places, timeout = (policy is not None for policy in policies)
    code = _code_for(
        (
            ("ASYNC", asynchronous),
            ("BREAKER", breaker),
            ("LIMIT", limit),
            ("PLACES", places),
            ("TIMEOUT", timeout),
            ("START", any((breaker, limit, places, timeout))),
            ("END", breaker or places),
            ("AT_ONCE", breaker and plan.refuses_at_once),
            (_BOUND, bound),
        ),
        shape,
    )
    if code is None:
        return None
    made: dict[str, Any] = {}
    exec(code, vars(straight), made)  # noqa: S102 - our own source, of this very package
    make: Callable[..., straight.Driver] = made["drivers"]
    return make


@functools.cache
def _code_for(switches: Switches, shape: Shape | None) -> CodeType | None:
    template = _template()
    if template is None:
        return None
    specialised = ast.fix_missing_locations(_Specialise(dict(switches), shape).visit(template))
    return compile(specialised, inspect.getsourcefile(straight) or "straight", "exec", dont_inherit=True)


def _template() -> ast.Module | None:
    """Return a fresh tree of the template alone, with its line numbers, or None without source."""
    try:
        module = ast.parse(inspect.getsource(straight))
    except OSError:
        return None
    future = [node for node in module.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    return ast.Module([*future, *(node for node in module.body if isinstance(node, ast.FunctionDef))], [])


class _Specialise(ast.NodeTransformer):
    """Replaces switches by their values, and makes a blocking function of an asynchronous one.

    With a `shape`, parameters take the place of the packed arguments.
    """

    def __init__(self, switches: Mapping[str, bool], shape: Shape | None) -> None:
        self._switches = switches
        self._shape = shape

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Replace a switch, and what is packed no more."""
        if node.id in self._switches:
            return ast.Constant(self._switches[node.id])
        if self._shape is not None and node.id == "args":
            return ast.Tuple(_read(self._shape.placed), ast.Load())
        if self._shape is not None and node.id == "kwargs":
            return ast.Dict([ast.Constant(name) for name in self._shape.named], _read(self._shape.named))
        return node

    def visit_Starred(self, node: ast.Starred) -> ast.expr | list[ast.expr]:
        """Hand parameters over one by one."""
        self.generic_visit(node)
        return node.value.elts if isinstance(node.value, ast.Tuple) else node

    def visit_keyword(self, node: ast.keyword) -> ast.keyword | list[ast.keyword]:
        """Hand parameters over by their names."""
        self.generic_visit(node)
        if self._shape is None or not isinstance(node.value, ast.Dict):
            return node
        return [ast.keyword(name, value) for name, value in zip(self._shape.named, node.value.values, strict=True)]

    def visit_If(self, node: ast.If) -> list[ast.stmt] | ast.If:
        """Leave out the branch that is never taken."""
        self.generic_visit(node)
        if not isinstance(node.test, ast.Constant):
            return node
        return node.body if node.test.value else node.orelse

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """Leave out the value that is never taken."""
        self.generic_visit(node)
        if isinstance(node.test, ast.Dict):  # keywords that are known
            return node.body if node.test.keys else node.orelse
        if not isinstance(node.test, ast.Constant):
            return node
        return node.body if node.test.value else node.orelse

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """Work out the opposite of a switch."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant):
            return ast.copy_location(ast.Constant(not node.operand.value), node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Leave out what changes nothing, and all that comes after what decides."""
        self.generic_visit(node)
        decisive = isinstance(node.op, ast.Or)
        values: list[ast.expr] = []
        for value in node.values:
            if not isinstance(value, ast.Constant):
                values.append(value)
            elif bool(value.value) is decisive:
                values.append(value)
                break
        node.values = values or [ast.Constant(not decisive)]
        return node if len(node.values) > 1 else node.values[0]

    def visit_Await(self, node: ast.Await) -> ast.expr:
        """Take `await` out of blocking code."""
        self.generic_visit(node)
        return node if self._switches["ASYNC"] else node.value

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """Make a blocking function of an asynchronous one, and one that takes the arguments of the call itself."""
        self.generic_visit(node)
        if self._switches[_BOUND]:
            parameters = _BOUND_PARAMETERS if self._shape is None else str(self._shape)
            taker = ast.parse(f"lambda {parameters}: None", mode="eval").body
            assert isinstance(taker, ast.Lambda)
            node.args = taker.args
        if self._switches["ASYNC"]:
            return node
        return ast.copy_location(
            ast.FunctionDef(node.name, node.args, node.body, node.decorator_list, node.returns, node.type_comment), node
        )


def _read(names: Iterable[str]) -> list[ast.expr]:
    return [ast.Name(name, ast.Load()) for name in names]
