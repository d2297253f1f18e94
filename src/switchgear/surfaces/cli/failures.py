"""Failures of a command: what happened, where, what to do next, and the exit code.

One shape for every source.

Sources are problems answered by the server, errors of the core tree raised here, a server that cannot be
reached, and wrong usage. Each becomes a `CommandFailure`; `application.run` prints it. Nothing else prints
failures.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from switchgear.core.codes import FACTS, Code, ExitCode
from switchgear.core.errors import OptionError, SwitchgearError
from switchgear.core.problems import problem_type

INTERRUPTED = 130
_WRONG_PATHS = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""What the system says of a path that cannot be used as it was named, rather than of a disk that fails."""
_PATH_SHOWN_MAX = 200
_ADVICE = {
    Code.TENANT_UNAUTHENTICATED: "Run `switchgear token --tenant NAME --save` where the server's configuration is,"
    " with the same --config as `switchgear up`, or give a current token with --token or SWITCHGEAR_TOKEN.",
    Code.IDEMPOTENCY_KEY_REQUIRED: "Add --key KEY, such as --key order-17: the same for every repeat of this one"
    " action.",
    Code.BUDGET_EXCEEDED: "Wait for the next period, or raise the budget; where no time is told, only a higher budget"
    " helps.",
}
"""What to do next on a command line, where the code table speaks to callers over HTTP."""
_ADVICE_ON_WHAT_IS_MISSING = {
    ("ledger", "no_key"): "Once it has one, sign: `switchgear ledger checkpoint --sign`",
    ("ledger", "unsigned"): "Sign it now: `switchgear ledger checkpoint --sign`",
    ("time_box", "none"): "Look at the action itself: `switchgear intents show ID`",
}
"""What to do next where it is no wrong id that was not found, by policy and state of the refusal."""
_MEMBER, _TIME = "for retry_after", "for the time that is told"
"""What the code table calls the time to wait, and what it is called where only its words are seen."""
_START_ADVICE = {
    Code.LEDGER_UNAVAILABLE: "Make the folder, with the right to write into it; or name another file as `store.url`.",
    Code.INVALID_CONFIGURATION: "Choose where to listen with --host and --port, or correct the configuration file.",
}


class CommandFailure(Exception):
    """A command that did not do what it was asked.

    `problem` is a problem document (RFC 9457) and fits into JSON. `exit_code` is what the process ends with.
    `advice` is the next step, for people. `where` names the request or file.
    """

    def __init__(self, problem: Mapping[str, Any], exit_code: int, *, advice: str = "", where: str = "") -> None:
        """Keep the facts."""
        super().__init__(problem.get("detail") or problem.get("title") or "")
        self.problem = dict(problem)
        self.exit_code = exit_code
        self.advice = advice
        self.where = where

    def document(self) -> dict[str, Any]:
        """Return the problem with exit code, place and advice: what ``--json`` prints to standard error."""
        return {**self.problem, "exit_code": int(self.exit_code), "where": self.where, "advice": self.advice}


class Unreached(CommandFailure):
    """No server of ours has answered: nobody did, or something else, such as a proxy whose server is away."""


def failure_of_error(error: SwitchgearError, *, where: str = "") -> CommandFailure:
    """Translate an error of the core tree that was raised in this process."""
    facts = FACTS[error.code]
    detail = error.message or facts.meaning
    problem = {**error.to_dict(), **_head(error.code, facts.http_status), "detail": detail}
    problem.pop("message", None)
    return CommandFailure(problem, facts.exit_code, advice=facts.advice, where=where)


def failure_of_problem(problem: Mapping[str, Any], status: int, *, where: str) -> CommandFailure:
    """Translate a problem that the server answered with. A code that is not ours ends with FAILED."""
    try:
        code = Code(str(problem.get("code")))
    except ValueError:
        title = problem.get("title") or f"The server answered with status {status}."
        return CommandFailure({**problem, "status": status, "title": title}, ExitCode.FAILED, where=where)
    missing = _ADVICE_ON_WHAT_IS_MISSING.get((str(problem.get("policy")), str(problem.get("state"))))
    return CommandFailure(problem, FACTS[code].exit_code, advice=missing or advice_of(code), where=where)


def advice_of(code: Code) -> str:
    """Return the next step after a failure with `code`, for somebody at a command line."""
    return _ADVICE.get(code) or FACTS[code].advice.replace(_MEMBER, _TIME)


def failure_of_usage(message: str, *, advice: str = "") -> CommandFailure:
    """Say that the command line itself is wrong."""
    problem = {**_head(Code.INVALID_ARGUMENT, 400), "detail": message}
    return CommandFailure(problem, ExitCode.USAGE, advice=advice or "Add --help to see how the command is used.")


def failure_of_path(error: OSError) -> CommandFailure | None:
    """Say that a file or folder cannot be used as it was named; None when the error is about something else."""
    if error.errno not in _WRONG_PATHS or not isinstance(error.filename, str):
        return None
    name = error.filename if len(error.filename) <= _PATH_SHOWN_MAX else f"{error.filename[:_PATH_SHOWN_MAX]}…"
    return failure_of_usage(f"{name}: {error.strerror}", advice="Name a file or folder that can be used.")


def failure_of_configuration(error: OptionError, *, where: str) -> CommandFailure:
    """Say that the configuration cannot be used, with all its problems as the error has them."""
    failure = failure_of_error(error, where=where)
    failure.advice = "Correct the file, then run `switchgear check`."
    return failure


def failure_to_start(error: SwitchgearError, *, where: str) -> CommandFailure:
    """Say why a server could not start. `where` is its configuration file."""
    failure = failure_of_error(error, where=where)
    failure.advice = _START_ADVICE.get(error.code, failure.advice)
    return failure


def failure_of_interrupt(detail: str, **facts: str) -> CommandFailure:
    """Say what goes on after Ctrl-C. It has no code: nothing failed."""
    problem = {"type": "about:blank", "title": "Interrupted.", "detail": detail, **facts}
    return CommandFailure(problem, INTERRUPTED)


def failure_to_reach(detail: str, *, where: str, advice: str) -> Unreached:
    """Say that there is no server, or that it did not answer."""
    problem = {**_head(Code.DEPENDENCY_FAILED, 502), "detail": detail}
    return Unreached(problem, ExitCode.UNAVAILABLE, advice=advice, where=where)


def _head(code: Code, status: int) -> dict[str, Any]:
    return {
        "type": problem_type(code),
        "title": FACTS[code].meaning,
        "status": status,
        "code": str(code),
    }
