"""The commands `breakers` and `tools`: what is known of dependencies and tools."""

from __future__ import annotations

from switchgear.core.codes import ExitCode
from switchgear.surfaces.cli.rendering import draw_breakers, draw_tools
from switchgear.surfaces.cli.session import DEFAULT_URL, JsonFlag, TokenOption, UrlOption, session


def breakers(*, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Show the breaker of each dependency: its state, when it may close, what waits for it."""
    with session(url, token, as_json=as_json) as opened:
        answer = opened.client.get("/v1/breakers")
        opened.output.answer(answer, lambda console: draw_breakers(console, answer["items"]))
    return ExitCode.OK


def tools(*, as_json: JsonFlag = False, url: UrlOption = DEFAULT_URL, token: TokenOption = None) -> int:
    """Show the registered tools and what each does to the world."""
    with session(url, token, as_json=as_json) as opened:
        answer = opened.client.get("/v1/tools")
        opened.output.answer(answer, lambda console: draw_tools(console, answer["items"]))
    return ExitCode.OK
