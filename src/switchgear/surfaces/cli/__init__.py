"""The command line: a client of REST for people and scripts. It opens no store.

application  the commands put together; `run` is the one entry point and the one place that prints failures
services     what the floor above hands in: how to serve, because REST is a sibling that may not be imported
client       the HTTP client
reaching     what it means when no answer of Switchgear came back, and what to do
address      where the server is when nobody has named it: what `up` reads
named_address    where it is when somebody has: what can be used of that, and what to write instead
session      address and token of one command, and where its answer goes
asking       what most commands do: ask one thing and print its answer; the options that lists share
output       one answer, for people or as one JSON document
failures     what went wrong, where, what to do next, and the exit code
as_typed     what is wrong with a request, in options in the place of the members that a server names
typed_json   JSON that somebody wrote, read strictly
typed_times  moments and lengths of time that somebody wrote
rendering    what the drawing of several commands shares: tables, states, moments, entries of the ledger
submitting, intents, breakers, budgets, tools, ledger    one subject a module: its commands and how they are drawn
keys         an action that is named by its idempotency key, and ids for the shell
belongings   how it is drawn what an action belongs to, and what became of a doubt about it
serving      the commands that come before or start a server
reference    the generated page docs/reference/cli.md
demo/        the demo: a misbehaving CRM, traffic, a live view, and the audit against the CRM's own log

What one command alone needs of lower floors, as the simulator or the verifier, is imported inside it: a command that
asks a server waits for the client, the options and the drawing to load, and for nothing else.

What may not live here: decisions. Every answer comes from REST, except for the offline ledger commands, which
read an exported file, and the commands that work on the configuration file before anything runs.
"""
