"""One TOML file, and a few environment variables, made into checked and typed settings.

loading    the file and the environment
sections   the models of the file's tables
checking   what pydantic finds, in plain words
problems   everything that is wrong, with file, key and what to write
remotes    connectors and dependencies
depending  dependencies whose health is known
probing    how they are probed; `probe_making` makes the probes
guarding   guard tables
headers    header values by reference
tooling    tools
settings   the result
reference  the page that documents all of it

What may not live here: anything that runs. pydantic stays inside this package.
"""

from switchgear.assembly.configuration.guarding import DEFAULT_GUARD, GuardOptions
from switchgear.assembly.configuration.loading import default, load
from switchgear.assembly.configuration.problems import ConfigurationError, Problem
from switchgear.assembly.configuration.reference import configuration_reference
from switchgear.assembly.configuration.settings import Configuration
from switchgear.assembly.configuration.tooling import DeclaredTool

__all__ = [
    "DEFAULT_GUARD",
    "Configuration",
    "ConfigurationError",
    "DeclaredTool",
    "GuardOptions",
    "Problem",
    "configuration_reference",
    "default",
    "load",
]
