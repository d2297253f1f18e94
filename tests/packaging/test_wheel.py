"""The wheel holds what it must and works in a clean environment. Nothing here uses a network."""

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.packaging

REPOSITORY = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent
IMPORTS = """
import sys
before = set(sys.modules)
from switchgear import *
import switchgear
foreign = {name.partition(".")[0] for name in set(sys.modules) - before}
print(switchgear.__file__)
print(*sorted(foreign - set(sys.stdlib_module_names) - {"switchgear"}))
"""


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, at most 50 seconds; the caller judges how it ended."""
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)


def run_well(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command that must succeed and return what it printed."""
    result = run(*command, cwd=cwd)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the working tree."""
    folder = tmp_path_factory.mktemp("dist")
    run_well(TOOLS / "hatchling", "build", "-t", "wheel", "-d", folder, cwd=REPOSITORY)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel, and nothing else, into a new environment; return its folder of programs."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    run_well(TOOLS / "uv", "venv", "--no-cache", "--no-project", "--python", sys.executable, folder)
    offline = ("--no-cache", "--no-index", "--offline")
    run_well(TOOLS / "uv", "pip", "install", "--python", folder, *offline, wheel)
    return folder / "bin"


def test_wheel_needs_no_other_package(installed: Path) -> None:
    """`pip install switchgear` brings the guard with no third-party dependency: no index was at hand here."""
    listing = run_well(
        TOOLS / "uv", "pip", "list", "--no-cache", "--python", installed / "python", "--format", "freeze"
    )
    assert [line.partition("==")[0] for line in listing.splitlines()] == ["switchgear"]


def test_installed_library_imports_the_standard_library_only(installed: Path) -> None:
    """Where nothing else is installed, `import switchgear` works and brings nothing along."""
    where, *foreign = run_well(installed / "python", "-I", "-c", IMPORTS).split()
    assert Path(where).is_relative_to(installed.parent)
    assert foreign == []


@pytest.mark.parametrize("words", [("switchgear",), ("python", "-I", "-m", "switchgear")])
def test_command_without_the_gear_says_what_to_install(installed: Path, words: tuple[str, ...]) -> None:
    """The command of a library-only installation fails with the one thing to do, not with a traceback."""
    result = run(installed / words[0], *words[1:], "--help")
    assert result.returncode != 0
    assert "pip install 'switchgear[gear]'" in result.stderr + result.stdout
    assert "Traceback" not in result.stderr


def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    """Types, SQL, schemas and every other data file ship with the code that reads them."""
    source = REPOSITORY / "src"
    files = (path.relative_to(source) for path in (source / "switchgear").rglob("*") if path.is_file())
    made_by_tools = re.compile(r"(^|/)(\.|__pycache__/)")
    wanted = {name for path in files if not made_by_tools.search(name := path.as_posix())}
    held = set(ZipFile(wheel).namelist())
    assert "switchgear/py.typed" in wanted
    assert wanted <= held


def test_wheel_holds_nothing_but_the_package(wheel: Path) -> None:
    """No test, tool or file of a developer's machine is shipped."""
    tops = {name.partition("/")[0] for name in ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"switchgear"}
