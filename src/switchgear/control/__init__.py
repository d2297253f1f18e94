"""Use cases shared by every surface, each with its authorisation. One subject, one module.

use_cases           `Control`: the subjects of one gear, put together; every permission that there is
intents, approvals, doubts, dead_letters, replays, sagas, time_boxes, tools, breakers, dependencies, kill_switches,
budgets, ledger, ledger_keeping, backups, readiness, health
                    the subjects: use cases, permissions and, where they are few, views
intent_views, time_box_views, ledger_views
                    what is shown of an intent, a time-box and a ledger, as plain values
resolutions, belongings       of an intent: what became of a doubt about it; what it belongs to, and what caused it
showing             an intent, shown whole
health_parts, health_views     what is measured of this process, and the types of the document that says so
self_test           what each surface has to refuse before this process is ready
spending            what reports about budgets say, also as CSV
permissions         how a subject declares what it needs
paging, damage      bounds of pages; what is damaged is named, and hides nothing else
access              tokens into principals
development_issuer  the issuer of tokens for one's own machine

A new subject is a module here, and a line for it in `Control` and in `Control.over`.

What may not live here: protocols (HTTP, command line), decisions about intents, storage of a product.
"""
