"""The changes: each one alters a module's syntax tree in one place, and takes the alteration back.

What only a type checker reads is left alone: annotations, docstrings, `__all__`, type variables, the first argument of
`cast`, and a `Literal` that no `get_args` reads.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_REMOVABLE = (ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.Raise)
_SIMPLE = (*_REMOVABLE, ast.AnnAssign, ast.Return, ast.Assert)
_PLAIN_TESTS = (ast.Name, ast.Attribute, ast.Call, ast.NamedExpr)

Undo = Callable[[], None]
Change = tuple[str, Callable[[], Undo]]


@dataclass(slots=True)
class Mutant:
    """One change, in force in the tree it came from until the next one is asked for.

    `first` to `last` are the lines of its statement. It is `deferred` inside a function.
    """

    line: int
    what: str
    first: int
    last: int
    deferred: bool

    @property
    def lines(self) -> range:
        """The lines whose tests can notice it."""
        return range(self.first, self.last + 1)


def mutants_of(tree: ast.Module) -> Iterator[Mutant]:
    """Make each change in turn in `tree`, yielding while it is in force, and take it back afterwards."""
    yield from _Walk(_read_by_get_args(tree)).visit(tree, (1, 1), deferred=False)


class _Walk:
    """A walk over a tree that yields its mutants, top to bottom."""

    def __init__(self, literals: frozenset[str]) -> None:
        self._literals = literals

    def visit(self, node: ast.AST, lines: tuple[int, int], *, deferred: bool) -> Iterator[Mutant]:
        """Yield the mutants of `node` and of all below it. `lines` are those of the statement around it."""
        for what, change in _changes(node):
            yield from _in_force(Mutant(getattr(node, "lineno", lines[0]), what, *lines, deferred), change)
        inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for name, value in ast.iter_fields(node):
            below = inside if name == "body" else deferred
            if isinstance(value, list) and not isinstance(node, ast.Module | ast.ClassDef):
                yield from self._without(value, deferred=below)
            for child in self._read(node, name, value):
                yield from self.visit(child, _statement_lines(child) or lines, deferred=below)

    def _without(self, block: list[ast.AST], *, deferred: bool) -> Iterator[Mutant]:
        """Yield the block without each of its statements, in turn."""
        for at, statement in enumerate(block):
            if isinstance(statement, _REMOVABLE) and not _is_docstring(statement):
                first, last = _statement_lines(statement) or (0, 0)
                mutant = Mutant(first, f"remove {ast.unparse(statement)!r:.60}", first, last, deferred)
                yield from _in_force(mutant, partial(_set_item, block, at, ast.Pass()))

    def _read(self, node: ast.AST, name: str, value: object) -> list[ast.AST]:
        """Return the parts of a field that something reads while running."""
        if name in {"annotation", "returns"}:
            return []
        children = [child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)]
        unread = _unread(node, self._literals)
        return [child for child in children if child not in unread]


def _in_force(mutant: Mutant, change: Callable[[], Undo]) -> Iterator[Mutant]:
    undo = change()
    yield mutant
    undo()


def _statement_lines(node: ast.AST) -> tuple[int, int] | None:
    """Return the lines of a statement; of a compound one those of its head."""
    if isinstance(node, _SIMPLE):
        return node.lineno, node.end_lineno or node.lineno
    if isinstance(node, ast.stmt):
        body = getattr(node, "body", None) or [node]
        last = body[0].lineno - 1 if isinstance(body[0], ast.stmt) else node.lineno
        return node.lineno, max(node.lineno, last)
    return None


def _unread(node: ast.AST, literals: frozenset[str]) -> list[ast.AST]:
    """Return the children of `node` that nothing reads while running."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return [node.value]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"cast", "TypeVar"}:
        return list(node.args)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name, value = node.targets[0].id, node.value
        typed = isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id == "Literal"
        return [value] if name == "__all__" or (typed and name not in literals) else []
    return []


def _read_by_get_args(tree: ast.Module) -> frozenset[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "get_args"]
    return frozenset(ast.unparse(argument) for call in calls for argument in call.args)


def _changes(node: ast.AST) -> Iterator[Change]:
    """Yield what can be changed about `node` itself, each with the function that does it."""
    yield from _of_operators(node)
    yield from _of_values(node)
    test = getattr(node, "test", None)
    if isinstance(test, _PLAIN_TESTS):
        yield "negate the condition", partial(_set, node, "test", ast.UnaryOp(ast.Not(), test))


def _of_operators(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare():
            for at, op in enumerate(node.ops):
                new = _COMPARISONS[type(op)]
                yield f"{_name(op)} to {new.__name__}", partial(_set_item, node.ops, at, new())
        case ast.BoolOp():
            other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            yield f"{_name(node.op)} to {_name(other)}", partial(_set, node, "op", other)
        case ast.BinOp() | ast.AugAssign():
            changed = _ARITHMETIC[type(node.op)]
            yield f"{_name(node.op)} to {changed.__name__}", partial(_set, node, "op", changed())
        case ast.UnaryOp(op=ast.USub()):
            yield "drop the minus", partial(_set, node, "op", ast.UAdd())
        case ast.UnaryOp(op=ast.Not()):
            yield "drop the not", partial(_set, node, "operand", ast.UnaryOp(ast.Not(), node.operand))


def _of_values(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Constant():
            for value in _other_values(node.value):
                yield f"{node.value!r:.40} to {value!r:.40}", partial(_set, node, "value", value)
        case ast.Call(func=ast.Name(id="min" | "max") as called):
            other = "max" if called.id == "min" else "min"
            yield f"{called.id} to {other}", partial(_set, called, "id", other)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) not in {"None", "False"}:
            yield "return None", partial(_set, node, "value", ast.Constant(None))


def _set(node: ast.AST, field: str, value: object) -> Undo:
    before = getattr(node, field)
    setattr(node, field, value)
    return lambda: setattr(node, field, before)


def _set_item(items: list[Any], at: int, value: ast.AST) -> Undo:
    before = items[at]
    items[at] = value
    return lambda: items.__setitem__(at, before)


def _name(op: ast.AST) -> str:
    return type(op).__name__


def _other_values(value: object) -> list[object]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1, value - 1]
    return [f"XX{value}XX"] if isinstance(value, str) else []


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
