"""Sets the scene: a remote that runs, an engine that can be started on a configuration for it, a client with tokens.

Everything lies in one folder, and no process is left when the scene is over.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

import httpx2

from switchgear.assembly.configuration import load
from switchgear.control.use_cases import PERMISSIONS
from switchgear.launch.server import issue_token
from switchgear.surfaces.cli.services import Grant
from tools.kill_rounds.engine import EngineProcess
from tools.kill_rounds.evidence import STORE
from tools.kill_rounds.submitting import ACCOUNT, SECONDS_MAX, TENANTS

CONFIGURATION = "switchgear.toml"
_ROOT = Path(__file__).resolve().parents[2]
_TOKEN_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Scene:
    """What runs or can: `engine` is not started yet. `log` is what the remote writes, `tokens` are by tenant."""

    folder: Path
    engine: EngineProcess
    client: httpx2.AsyncClient
    tokens: Mapping[str, str]
    log: Path


@asynccontextmanager
async def scene(folder: Path, *, seed: int, calm: bool = False) -> AsyncIterator[Scene]:
    """Start a remote and prepare the rest in `folder`. At a `calm` remote nothing goes wrong."""
    log = folder / "remote.log"
    async with _remote(log, seed, calm=calm) as url, httpx2.AsyncClient(timeout=SECONDS_MAX, trust_env=False) as client:
        configuration = _write_configuration(folder, url)
        engine = EngineProcess(folder)
        try:
            yield Scene(folder, engine, client, _tokens(configuration), log)
        finally:
            await engine.kill()


@asynccontextmanager
async def _remote(log: Path, seed: int, *, calm: bool) -> AsyncIterator[str]:
    """Run the remote, and yield its address."""
    words = ["-m", "tools.kill_rounds.upstream", "--log", str(log), "--seed", str(seed), *(["--calm"] if calm else [])]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe, cwd=_ROOT)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.kill()
        await process.communicate()


def _write_configuration(folder: Path, remote: str) -> Path:
    template = Template(files(__package__).joinpath("gear.toml").read_text(encoding="utf-8"))
    path = folder / CONFIGURATION
    path.write_text(template.substitute(store=(folder / STORE).resolve().as_posix(), remote=remote), encoding="utf-8")
    return path


def _tokens(configuration: Path) -> dict[str, str]:
    """Return a token for each tenant, made with the key beside the store."""
    settings = load(configuration)
    return {
        tenant: issue_token(settings, Grant(tenant, (ACCOUNT,), "service:callers", PERMISSIONS, _TOKEN_SECONDS))
        for tenant in TENANTS
    }
