-- The log of all tenants, in order of position. A chain is the entries of one tenant in order of seq.
CREATE TABLE tenants (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE entries (
    position INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants (id),
    seq INTEGER NOT NULL,
    prev BLOB NOT NULL,
    hash BLOB NOT NULL,
    append_id TEXT NOT NULL,
    stream TEXT NOT NULL,
    body BLOB NOT NULL,
    payload BLOB
) STRICT;

CREATE UNIQUE INDEX entries_by_seq ON entries (tenant, seq);
CREATE INDEX entries_by_stream ON entries (tenant, stream);

-- The projection that appends write beside their entries.
CREATE TABLE rows (
    space TEXT NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    facet TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (space, tenant, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX rows_by_facet ON rows (space, facet, tenant, key);
