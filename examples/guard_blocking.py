"""The guard round a blocking function, as a decorator: here urllib, which knows neither retries nor breakers.

Run it against anything that answers HTTP:

    python examples/guard_blocking.py http://127.0.0.1:8080/contacts/7

Nothing but the standard library and Switchgear is needed.
"""

import sys
from urllib.error import HTTPError
from urllib.request import urlopen

from switchgear import Breaker, CircuitOpen, Guard, Retry, RetryExhausted, Timeout, deadline

crm = Guard(
    "crm",
    timeout=Timeout(10.0),
    retry=Retry(attempts=3, on=OSError, ignore=lambda error: isinstance(error, HTTPError) and error.code == 404),
    breaker=Breaker(failures=5, cooldown=5.0),
)


@crm
def fetch(url: str) -> str:
    """Get a page. urllib raises HTTPError for bad statuses, which is an OSError, so they are retried."""
    with urlopen(url) as response:  # noqa: S310 - the reader gives the address
        text: str = response.read().decode()
        return text


def main(url: str) -> int:
    """Fetch a page within five seconds, retries included."""
    try:
        with deadline(30.0):
            print(fetch(url))
    except CircuitOpen as refusal:
        print(f"not even tried: {refusal}")
        return 1
    except RetryExhausted as error:
        print(f"gave up after {error.attempts} attempts: {error.__cause__}")
        return 1
    statistics = crm.statistics()
    print(f"{statistics.successes} answers, {statistics.retries} retries, breaker {statistics.state}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
