"""Protects a service from what comes in: middleware for every ASGI framework, without a third-party import.

middleware    `SwitchgearMiddleware`: deadline, limits by tenant and route, shedding, for each request
exchange      one request: what was sent, what was read ahead, who cut it off
headers       the fields that say limits, and the ones that say how much time there is
problems      refusals as problem documents (RFC 9457)
checks        options that cannot work, refused at birth
protocol      the words of ASGI, as types

What may not live here: authentication (a tenant is read from what verified it), state of limits (that is the
limiter's and the guard's), anything of one framework.
"""

from switchgear.adapters.asgi.middleware import SwitchgearMiddleware

__all__ = ["SwitchgearMiddleware"]
