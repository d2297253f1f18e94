"""The laws of imports hold, and a planted break of each is seen. No import here is ever executed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import import_laws

REPOSITORY = Path(__file__).parents[2]
LINTER = Path(sys.executable).with_name("lint-imports")


def write_package(folder: Path, files: dict[str, str]) -> Path:
    """Write a package named as ours, with these files and an empty `__init__` in each folder."""
    for name, text in {"core/__init__.py": "", "__init__.py": "", **files}.items():
        path = folder / "switchgear" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("module", "text", "break_"),
    [
        ("core/a.py", "import httpx2", "imports httpx2, which is not in the standard library"),
        (
            "guard/a.py",
            "def f():\n    from rich.table import Table",
            "switchgear.guard.a:2 imports rich.table",
        ),
        ("policies/a.py", "if TYPE_CHECKING:\n    import msgspec", "imports msgspec"),
        ("gates/a.py", "import switchgear", "imports the package root"),
        ("gates/a.py", "from switchgear import core", "imports the package root"),
        ("launch.py", "from . import core", "imports the package root"),
        ("gates/a.py", "from .. import core", "imports the package root"),
        ("gates/a.py", 'import_module("switchgear")', "imports the package root"),
    ],
)
def test_planted_import_is_named(tmp_path: Path, module: str, text: str, break_: str) -> None:
    """Every import statement counts, wherever it stands, and the break is named with its module."""
    (found,) = import_laws.breaks(write_package(tmp_path, {module: text}))
    assert break_ in found


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("core/a.py", "import asyncio.events\nfrom collections import abc"),
        ("guard/a.py", "from switchgear.core import b\nfrom ..core.b import C"),
        ("gates/a.py", "import msgspec"),
        ("__init__.py", 'def f():\n    return import_module("switchgear.core")'),
        ("core/a.py", "f.import_module(name)"),
    ],
)
def test_allowed_import_is_no_break(tmp_path: Path, module: str, text: str) -> None:
    """The standard library, lower floors, and third parties above the library are allowed."""
    assert import_laws.breaks(write_package(tmp_path, {module: text})) == []


def test_circle_is_named_in_the_order_of_imports(tmp_path: Path) -> None:
    """Zero cycles: a circle closed by an import inside a function is one."""
    files = {
        "core/a.py": "from switchgear.core import b",
        "core/b.py": "from . import c",
        "core/c.py": "def f():\n    from .a import X",
    }
    (found,) = import_laws.breaks(write_package(tmp_path, files))
    circle = found.partition(": ")[2].split(" -> ")
    assert set(circle) == {"switchgear.core.a", "switchgear.core.b", "switchgear.core.c"}
    assert f"{circle[0]} -> {circle[1]}" in {
        "switchgear.core.a -> switchgear.core.b",
        "switchgear.core.b -> switchgear.core.c",
        "switchgear.core.c -> switchgear.core.a",
    }


def test_the_house_keeps_the_laws() -> None:
    """Our own package breaks none of them."""
    assert import_laws.breaks(REPOSITORY / "src") == []


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the package in `folder` against the contracts of our pyproject.toml."""
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    return subprocess.run(
        [LINTER, "--no-logo", "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_contracts_accept_imports_that_point_down(tmp_path: Path) -> None:
    """A house with some rooms only, each importing lower ones, keeps the contracts."""
    files = {
        "guard/__init__.py": "from switchgear.policies import retry",
        "policies/__init__.py": "",
        "policies/retry.py": "from switchgear.core import clock",
        "core/clock.py": "",
    }
    result = lint(write_package(tmp_path, files))
    assert (result.returncode, "0 broken" in result.stdout) == (0, True), result.stdout + result.stderr


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (
            {"core/a.py": "if TYPE_CHECKING:\n    import switchgear.guard", "guard/__init__.py": ""},
            "switchgear.core.a -> switchgear.guard",
        ),
        (
            {"storage/__init__.py": "def f():\n    import switchgear.ledger", "ledger/__init__.py": ""},
            "switchgear.storage -> switchgear.ledger",
        ),
        (
            {"slo/__init__.py": "import switchgear.ledger", "ledger/__init__.py": ""},
            "switchgear.slo -> switchgear.ledger",
        ),
        (
            {
                "surfaces/__init__.py": "",
                "surfaces/rest/__init__.py": "import switchgear.surfaces.cli",
                "surfaces/cli/__init__.py": "",
            },
            "switchgear.surfaces.rest -> switchgear.surfaces.cli",
        ),
        ({"attic/__init__.py": ""}, "attic"),
    ],
    ids=["typing-only upwards", "lazy upwards", "sideways", "surface to surface", "room without a floor"],
)
def test_contracts_catch_a_planted_import(tmp_path: Path, files: dict[str, str], named: str) -> None:
    """The floors are kept by machine: each kind of wrong import is caught and named."""
    result = lint(write_package(tmp_path, files))
    assert result.returncode == 1, result.stdout + result.stderr
    assert named in result.stdout
