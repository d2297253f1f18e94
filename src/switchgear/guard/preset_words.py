"""The words of a file of presets: where in it something stands, and errors of policies said as the file would say them.

A policy's error speaks of Python: ``Bulkhead(32, queue=64)``. Whoever writes a file needs its place in the file, and
``queue = 64``. Nothing here knows which presets and options there are.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from switchgear.core.errors import OptionError

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something stands: the file, and the keys that lead there."""

    file: str
    keys: tuple[str, ...] = ()

    def at(self, key: str) -> Place:
        """Return the place of `key` inside this one."""
        return replace(self, keys=(*self.keys, key))

    def error(self, wrong: str, write: str) -> OptionError:
        """Return the error that says where something is wrong, and what to write."""
        dotted = ".".join(key if _BARE.match(key) else f'"{key}"' for key in self.keys)
        return OptionError(f"{self.file}: {f'{dotted}: ' if dotted else ''}{wrong}; {write}")

    def translated(self, error: OptionError, maker: str, known: Sequence[str]) -> OptionError:
        """Return the error of a policy, called `maker` in Python, in the words of a file.

        `known` are the options of the policy, in their order.
        """
        place, (wrong, _, write) = self, error.message.partition("; ")
        option = ""
        found = re.match(rf"{maker}\((\w+)(?:=([^,)]*))?\) (.+)", wrong)
        if found is not None and found[1] in known:
            option, wrong = found[1], f"{found[2] or ''} {found[3]}".lstrip()
            place = self.at(option)
        return place.error(wrong, _in_toml(write, maker, known, option) or "change one of them")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return what to write instead of `word`: the nearest known one, or all of them."""
    words = list(known)
    near = difflib.get_close_matches(str(word), words, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(words)}"


def _in_toml(text: str, maker: str, known: Sequence[str], option: str) -> str:
    """Return `text` with each call of `maker` as lines of TOML: that of `option` if it is named, else all."""
    for start in [found.start() for found in re.finditer(rf"\b{maker}\(", text)][::-1]:
        call = _call_at(text, start)
        if call is not None:
            text = text[:start] + _lines(call[0], known, option) + text[call[1] :]
    return text


def _call_at(text: str, start: int) -> tuple[ast.Call, int] | None:
    """Return the call that begins at `start`, and where it ends; None for what is no Python."""
    for bracket in re.finditer(r"\)", text[start:]):
        end = start + bracket.end()
        try:
            parsed = ast.parse(text[start:end], mode="eval").body
        except SyntaxError:
            continue
        return (parsed, end) if isinstance(parsed, ast.Call) else None
    return None


def _lines(call: ast.Call, known: Sequence[str], option: str) -> str:
    said = {name: _value(value) for name, value in zip(known, call.args, strict=False)}
    said |= {keyword.arg or "": _value(keyword.value) for keyword in call.keywords}
    if option in said:
        return f"{option} = {said[option]}"
    return ", ".join(f"{name} = {value}" for name, value in said.items())


def _value(node: ast.expr) -> str:
    """Return a Python expression as TOML: names of exceptions are text there, and what only code can say stays."""
    match node:
        case ast.Constant(value=bool() | str() as value):
            return json.dumps(value)
        case ast.Name(id=name):
            return json.dumps(name)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return f"[{', '.join(_value(item) for item in items)}]"
        case ast.Dict(keys=keys, values=values):
            pairs = zip(keys, values, strict=True)
            return f"{{ {', '.join(f'{_key(key)} = {_value(value)}' for key, value in pairs)} }}"
        case ast.Call(args=[], keywords=[]):
            return "{}"
        case _:
            return ast.unparse(node)


def _key(node: ast.expr | None) -> str:
    """Return the key of a mapping as a key of TOML."""
    key = node.id if isinstance(node, ast.Name) else str(getattr(node, "value", node))
    return key if _BARE.match(key) else json.dumps(key)
