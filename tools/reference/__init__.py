"""Reference pages that no room of the package writes itself: made from its tables and docstrings.

codes      docs/reference/codes.md, from the table of codes
timeouts   docs/reference/timeouts.md, from the table of operations
events     docs/reference/events.md, from the table of transitions
health     docs/reference/health.md, from the table of moves of a dependency, and `health_names` from the public names
library    docs/reference/library.md, from the public names
entries    how a public name stands on a page
markdown   tables and cells

What may not live here: facts of their own. A page says what the code says; only words about events are added.
"""
