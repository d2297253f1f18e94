"""The ways in: REST, CLI. Each translates for `control` and does nothing else.

Surfaces are siblings and never import each other. What may not live here: rules about who may do what, what
an intent is, or when something is refused. Those are asked of `control`.
"""
