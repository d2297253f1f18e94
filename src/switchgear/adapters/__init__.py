"""Guards for client libraries and frameworks, switched on in one line. Nothing is imported until it is asked for.

httpx2, httpx, aiohttp, requests    HTTP clients; http_outcomes has their table, http_rules their options,
                                    http_hints reads what a server wishes, http_exchange has the books of a
                                    request, http_calls the drivers
redis, nats, unix_socket, mcp       brokers, sockets and tools
asgi, fastapi                       what comes in, rather than what goes out
metrics, prometheus, opentelemetry, logs    guards as others see them
systemd                             what the service manager is told
gate                                the words of every table of errors: what they say, and what may have left

What may not live here: rules of a policy, state of a guard, and imports of one client by the adapter of another.
"""
