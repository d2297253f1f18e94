"""All that can say no before dispatch, in one shape: a gate checks a request and raises a refusal, or returns.

gate      the shape, and the request that gates see
tenants   a tenant's rate of submissions
required  the breakers of every dependency that a tool requires

What may not live here: effects, waiting, knowledge of connectors.
"""
