"""`import switchgear` needs Python and nothing else: the quick proof, from source without site-packages."""

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
from switchgear import *
import switchgear.core
foreign = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(foreign - set(sys.stdlib_module_names) - {"switchgear"}))
"""


def test_importing_the_library_imports_no_third_party() -> None:
    """The guard has no dependency: without any site-packages the library imports, and alone."""
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, SOURCE],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (result.returncode, result.stdout.split()) == (0, []), result.stderr
