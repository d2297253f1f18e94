"""What every test shares: Hypothesis profiles and where its examples are kept. Fixtures stay near their use.

Profiles: `default` for people; `ci` (chosen when the variable CI is set) tries fewer and forgives slowness; `thorough`
tries ten times as many, by hand: `--hypothesis-profile=thorough`. Every failing example is printed as a blob that
`@reproduce_failure` takes.
"""

import gc
import os
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(str(Path(__file__).parent.parent / ".hypothesis"))
settings.register_profile("default", deadline=None, max_examples=100, print_blob=True)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=40,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough",
    deadline=None,
    max_examples=1_000,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_collection_finish() -> None:
    """Set aside what is there before the first test, so that no collection of garbage looks through all of it."""
    gc.collect()
    gc.freeze()
