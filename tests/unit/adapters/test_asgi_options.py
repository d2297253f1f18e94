"""Options of what limits requests: a wrong one is refused when it is given, not when the first request comes."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from switchgear.adapters.asgi import SwitchgearMiddleware
from switchgear.adapters.asgi.protocol import Scope
from switchgear.adapters.fastapi import install, limited
from switchgear.core.errors import OptionError
from switchgear.guard import Guard
from switchgear.guard.limiter import RateLimiter
from switchgear.policies.rate_limit import RateLimit
from tests.unit.adapters.asgi_driver import Service, ask


async def name_later(_scope: Scope) -> str:
    """Return a name too late: what a caller gets is no name."""
    return "acme"


class NameLater:
    """The same as an object."""

    async def __call__(self, _scope: Scope) -> str:
        """Return a name too late."""
        return "acme"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"app": None}, "something to call"),
        ({"limits": RateLimit(1)}, r"limits\) takes a RateLimiter"),
        ({"limits": {"tenant": RateLimit(1)}}, r"write for example RateLimiter\("),
        ({"guard": "inbound"}, r'write for example Guard\("inbound"'),
        ({"tenant_of": "acme"}, "something to call"),
        ({"tenant_of": name_later}, "plain function"),
        ({"tenant_of": NameLater()}, "plain function"),
        ({"route_of": "/orders"}, "something to call"),
        ({"guard": Guard("inbound"), "priority_of": "critical"}, "something to call"),
        ({"priority_of": str}, "give guard= as well"),
        ({"anonymous": ""}, r"anonymous\) takes a name"),
        ({"anonymous": 7}, r"anonymous\) takes a name"),
        ({"deadline_header": 5}, "name of a header"),
        ({"deadline_header": "X Timeout"}, "name of a header"),
        ({"deadline_max": "60"}, "deadline_max"),
        ({"exempt": 5}, "exempt="),
        ({"exempt": (5,)}, "exempt="),
        ({"shown": 5}, "shown="),
        ({"challenge": None}, "what a header can carry"),
        ({"challenge": "Bearer\r\nX: y"}, "what a header can carry"),
        ({"challenge": "€"}, "what a header can carry"),
    ],
)
def test_the_middleware_refuses_at_birth(options: dict[str, Any], words: str) -> None:
    """Each mistake is named, with what to write instead."""
    with pytest.raises(OptionError, match=words):
        SwitchgearMiddleware(**{"app": Service(), **options})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limiter": RateLimit(1)}, r"limiter\) takes a RateLimiter"),
        ({"cost": -1}, "cost"),
        ({"cost": "1"}, "cost"),
        ({"tenant_of": "acme"}, "something to call"),
        ({"tenant_of": name_later}, "plain function"),
        ({"tool": ""}, r"tool\) takes a name"),
        ({"tool": 7}, r"tool\) takes a name"),
        ({"anonymous": ""}, r"anonymous\) takes a name"),
        ({"shown": 5}, "shown="),
    ],
)
def test_the_dependency_refuses_at_birth(options: dict[str, Any], words: str) -> None:
    """Each mistake is named, with what to write instead."""
    with pytest.raises(OptionError, match=words):
        limited(**{"limiter": RateLimiter({"global": RateLimit(1)}), **options})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"app": Service()}, "takes a FastAPI"),
        ({"app": FastAPI().router}, "takes a FastAPI"),
        ({"challenge": "Bearer\n"}, "what a header can carry"),
    ],
)
def test_the_installation_refuses_at_once(options: dict[str, Any], words: str) -> None:
    """Each mistake is named, with what to write instead."""
    with pytest.raises(OptionError, match=words):
        install(**{"app": FastAPI(), **options})


async def test_what_is_callable_and_plain_is_taken() -> None:
    """Readers may be functions, classes and objects; every part that may be missing may be None."""
    made = SwitchgearMiddleware(
        Service(), tenant_of=lambda _scope: "acme", route_of=str.__call__, deadline_header=None, deadline_max=None
    )
    assert (await ask(made)).status == 200
