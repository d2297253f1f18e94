"""Use cases shared by every surface, each with its authorisation.

use_cases           submit, wait, show, list, events, cancel, tools, breakers, ledger, readiness
views               what is shown, as plain values
translate           records of the floors below into views
access              tokens into principals
development_issuer  the issuer of tokens for one's own machine

What may not live here: protocols (HTTP, command line), decisions about intents, storage of a product.
"""
