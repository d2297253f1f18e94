"""Check the laws of imports that the layer contracts in pyproject.toml cannot say.

Three laws: the rooms of the library import the standard library only; no room imports the package root; no
modules import each other in a circle. Every import statement counts, also inside functions and under
`TYPE_CHECKING`, and so does `import_module` with a literal name. Which floor may import which is not checked
here: the contracts do that.

Run as `python -m tools.import_laws`: prints each break and what it has read; exits 1 if there was a break.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = "switchgear"
STANDARD_LIBRARY_ROOMS = ("core", "policies", "guard", "health", "inventory")
NEWER = frozenset({"annotationlib"})
"""Modules of the standard library that came after the oldest Python, and are imported where there are any (3.14)."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import as written: `importer` and `imported` are full module names, `line` counts from 1."""

    importer: str
    imported: str
    line: int


def breaks(source: Path) -> list[str]:
    """Return one sentence for each break of a law by the package under `source`, the folder that holds it."""
    modules = find_modules(source)
    imports = [found for name, path in modules.items() for found in imports_of(name, path, modules)]
    return [*foreign_imports(imports), *root_imports(imports), *circles(imports)]


def find_modules(source: Path) -> dict[str, Path]:
    """Return the file of each module of the package, by full module name."""
    return {_module_name(path.relative_to(source)): path for path in sorted((source / ROOT).rglob("*.py"))}


def imports_of(name: str, path: Path, modules: Mapping[str, Path]) -> list[Import]:
    """Return what module `name` imports; `modules` tells a submodule from a name inside a module."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return [
        Import(name, imported, node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call)
        for imported in _imported(node, package, modules)
    ]


def foreign_imports(imports: list[Import]) -> list[str]:
    """Return the breaks of: rooms of the library import the standard library and this package only."""
    rooms = tuple(f"{ROOT}.{room}" for room in STANDARD_LIBRARY_ROOMS)
    return [
        f"{found.importer}:{found.line} imports {found.imported}, which is not in the standard library"
        for found in imports
        if _is_inside(found.importer, rooms) and not _is_at_home(found.imported)
    ]


def root_imports(imports: list[Import]) -> list[str]:
    """Return the breaks of: the package root is for users; inside, each name comes from its own module."""
    return [
        f"{found.importer}:{found.line} imports the package root"
        for found in imports
        if found.imported == ROOT and found.importer != ROOT
    ]


def circles(imports: list[Import]) -> list[str]:
    """Return one sentence for the first circle of modules that import each other, if there is one."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        if found.imported != found.importer and _is_inside(found.imported, (ROOT,)):
            graph.setdefault(found.importer, set()).add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib lists a circle from the imported module to its importer.
        return ["modules import each other in a circle: " + " -> ".join(reversed(error.args[1]))]
    return []


def main() -> int:
    """Check `src` beside this folder; return the exit code."""
    source = Path(__file__).parent.parent / "src"
    found = breaks(source)
    for sentence in found:
        print(sentence)
    print(f"Import laws: {len(find_modules(source))} modules read, {len(found)} breaks.")
    return 1 if found else 0


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(node: ast.Import | ast.ImportFrom | ast.Call, package: str, modules: Mapping[str, Path]) -> Iterator[str]:
    match node:
        case ast.Import():
            yield from (alias.name for alias in node.names)
        case ast.ImportFrom():
            base = _base(node, package)
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                yield submodule if submodule in modules and base != ROOT else base
        case ast.Call(
            func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(literal)), *_],
        ) if not literal.startswith("."):
            yield literal


def _base(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)


def _is_inside(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _is_at_home(module: str) -> bool:
    return module.partition(".")[0] in {ROOT, *sys.stdlib_module_names, *NEWER}


if __name__ == "__main__":
    sys.exit(main())
