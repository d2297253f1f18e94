"""The peers, one module each: how somebody who chose that library would write the rows it can do.

Each module exposes `CONTENDERS`. A module imports its library at the top; one that cannot be imported is reported as
not installed. Limits are set so high that nothing is ever refused. No peer is configured to do less than its row.
"""
