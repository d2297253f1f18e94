"""The guard round an asynchronous HTTP client: timeout, retry, breaker, rate limit and bulkhead in one object.

Run it against anything that answers HTTP:

    python examples/guard_httpx2.py http://127.0.0.1:8080/contacts/7

Needs the package httpx2. No server of Switchgear is involved.
"""

import asyncio
import sys

import httpx2

from switchgear import Breaker, Bulkhead, Guard, RateLimit, Rejected, Retry, SwitchgearError, Timeout

# Reading is safe to repeat, so it is retried: after connection errors, and after what `fetch` raises for 429 and 5xx.
crm = Guard(
    "crm",
    deadline=30.0,
    timeout=Timeout(10.0),
    retry=Retry(attempts=3, on=(httpx2.TransportError, httpx2.HTTPStatusError), base=0.05),
    breaker=Breaker(failure_rate=0.5, minimum_calls=10, window=60.0, cooldown=5.0),
    rate_limit=RateLimit(50, per=1.0, wait=1.0),
    bulkhead=Bulkhead(8, queue=32),
)


async def fetch(client: httpx2.AsyncClient, url: str) -> str:
    """Get a page. A status that less traffic would change is an error, so that breaker and retry see it."""
    response = await client.get(url)
    if response.status_code in (408, 425, 429) or response.status_code >= 500:
        response.raise_for_status()
    return response.text


async def main(url: str) -> int:
    """Fetch a page twenty times at once, and tell how the guard stands."""
    async with httpx2.AsyncClient() as client:
        pages = await asyncio.gather(*(crm.call(fetch, client, url) for _ in range(20)), return_exceptions=True)
    for page in pages:
        if isinstance(page, Rejected):
            print(f"refused, nothing was sent: {page}")
        elif isinstance(page, SwitchgearError):
            print(f"gave up: {page}")
        elif isinstance(page, BaseException):
            raise page
    statistics = crm.statistics()
    print(f"{statistics.successes} answers, {statistics.retries} retries, breaker {statistics.state}")
    return 0 if statistics.successes else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
