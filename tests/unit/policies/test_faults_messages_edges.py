"""Faults that cannot work, and what is said of each."""

from collections.abc import Callable
from typing import Any

import pytest

from switchgear.core.errors import OptionError
from switchgear.policies.faults import Fault, Faults

HANG = Fault("hang", rate=0.1)

WRONG: list[tuple[Callable[..., object], tuple[Any, ...], dict[str, Any], str]] = [
    (
        Fault,
        ("slow",),
        {"rate": 0.1},
        (
            'Fault(kind) is one of "error", "latency", "hang", "wrong_result", not \'slow\'; write for '
            'example Fault("error", rate=0.1, error=ConnectionError)'
        ),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 0},
        ('Fault(rate) needs a share above 0 and at most 1, not 0; write for example Fault("hang", rate=0.1)'),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 1.5},
        ('Fault(rate) needs a share above 0 and at most 1, not 1.5; write for example Fault("hang", rate=0.1)'),
    ),
    (
        Fault,
        ("hang",),
        {"rate": True},
        ('Fault(rate) needs a share above 0 and at most 1, not True; write for example Fault("hang", rate=0.1)'),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 0.1, "error": OSError},
        ('Fault("hang") takes no error=; write for example Fault("hang", rate=0.1)'),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 0.1, "limit": 0},
        ('Fault(limit) needs a whole number of at least 1, not 0; write for example Fault("hang", rate=0.1, limit=10)'),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 0.1, "tenants": "acme"},
        (
            "Fault(tenants) needs one or more names, not 'acme'; write for example Fault(\"hang\", "
            'rate=0.1, tenants=("one",)), or leave it out'
        ),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 0.1, "tenants": ()},
        (
            'Fault(tenants) needs one or more names, not (); write for example Fault("hang", rate=0.1, '
            'tenants=("one",)), or leave it out'
        ),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 0.1, "tenants": ("",)},
        (
            "Fault(tenants) needs one or more names, not ('',); write for example Fault(\"hang\", "
            'rate=0.1, tenants=("one",)), or leave it out'
        ),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 0.1, "operations": 5},
        (
            'Fault(operations) needs one or more names, not 5; write for example Fault("hang", rate=0.1, '
            'operations=("one",)), or leave it out'
        ),
    ),
    (
        Fault,
        ("hang",),
        {"rate": 0.1, "operations": ("a", 5)},
        (
            "Fault(operations) needs one or more names, not ('a', 5); write for example Fault(\"hang\", "
            'rate=0.1, operations=("one",)), or leave it out'
        ),
    ),
    (
        Fault,
        ("error",),
        {"rate": 0.1},
        ('Fault("error") needs error=; write for example Fault("error", rate=0.1, error=ConnectionError)'),
    ),
    (
        Fault,
        ("error",),
        {"rate": 0.1, "error": 5},
        (
            "Fault(error) needs an Exception class, an instance, or a function that makes one, not 5; "
            'write for example Fault("error", rate=0.1, error=ConnectionError)'
        ),
    ),
    (
        Fault,
        ("error",),
        {"rate": 0.1, "error": KeyboardInterrupt},
        (
            "Fault(error) needs an Exception class, an instance, or a function that makes one, not <class "
            "'KeyboardInterrupt'>; "
            'write for example Fault("error", rate=0.1, error=ConnectionError)'
        ),
    ),
    (
        Fault,
        ("error",),
        {"rate": 0.1, "error": UnicodeDecodeError},
        (
            "Fault(error=<class 'UnicodeDecodeError'>) cannot be made anew for each call (function takes "
            "exactly 5 arguments (0 given)); give a function that makes it, and write for example "
            'Fault("error", rate=0.1, error=lambda: ConnectionError("down"))'
        ),
    ),
    (
        Fault,
        ("error",),
        {"rate": 0.1, "error": OSError, "seconds": 1.0},
        ('Fault("error") takes no seconds=; write for example Fault("error", rate=0.1, error=ConnectionError)'),
    ),
    (
        Fault,
        ("latency",),
        {"rate": 0.1},
        ('Fault("latency") needs seconds=; write for example Fault("latency", rate=0.1, seconds=2.0)'),
    ),
    (
        Fault,
        ("latency",),
        {"rate": 0.1, "seconds": 0},
        ('Fault(seconds) needs seconds above 0, not 0; write for example Fault("latency", rate=0.1, seconds=2.0)'),
    ),
    (
        Fault,
        ("latency",),
        {"rate": 0.1, "seconds": 1.0, "result": None},
        ('Fault("latency") takes no result=; write for example Fault("latency", rate=0.1, seconds=2.0)'),
    ),
    (
        Fault,
        ("wrong_result",),
        {"rate": 0.1},
        ('Fault("wrong_result") needs result=; write for example Fault("wrong_result", rate=0.1, result=None)'),
    ),
    (
        Faults,
        (),
        {},
        (
            "Faults needs one or more rules, each a Fault, not (); "
            'write for example Faults(Fault("error", rate=0.1, error=ConnectionError))'
        ),
    ),
    (
        Faults,
        (5,),
        {},
        (
            "Faults needs one or more rules, each a Fault, not (5,); "
            'write for example Faults(Fault("error", rate=0.1, error=ConnectionError))'
        ),
    ),
    (
        Faults,
        (HANG,),
        {"seed": -1},
        (
            "Faults(seed) needs a whole number of at least 0, not -1; write for example "
            'Faults(Fault("error", rate=0.1, error=ConnectionError), seed=7)'
        ),
    ),
]


@pytest.mark.parametrize(("kind", "given", "named", "said"), WRONG, ids=[said.partition(";")[0] for *_, said in WRONG])
def test_options_that_cannot_work_say_what_to_write_instead(
    kind: Callable[..., object], given: tuple[Any, ...], named: dict[str, Any], said: str
) -> None:
    """An option is refused at birth; the message names it, shows what was given, and what would work."""
    with pytest.raises(OptionError) as refused:
        kind(*given, **named)
    assert refused.value.message == said
