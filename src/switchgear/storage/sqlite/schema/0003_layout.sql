-- Where rows and streams lie, and not what they hold: every statement reads both layouts (see schema.py).
-- A row stays where it was first put, beside those of its time, so that the actions of many tenants change few pages.
-- A row's index is as small as its name; clustered by name, each tenant's row would be a page of its own to write.
ALTER TABLE rows RENAME TO rows_before;

CREATE TABLE rows (
    space TEXT NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    facet TEXT NOT NULL,
    value BLOB NOT NULL
) STRICT;

INSERT INTO rows (space, tenant, key, version, facet, value)
SELECT space, tenant, key, version, facet, value FROM rows_before ORDER BY space, tenant, key;

-- Refuses a file of which a row would be left behind, by a value that this column cannot have.
UPDATE schema_files SET name = NULL
WHERE (SELECT count(*) FROM rows) <> (SELECT count(*) FROM rows_before INDEXED BY rows_by_facet);

DROP TABLE rows_before;

CREATE UNIQUE INDEX rows_by_key ON rows (space, tenant, key);
CREATE INDEX rows_by_facet ON rows (space, facet, tenant, key);

-- Streams are named by ids in order of time, so a new one goes to the end; by tenant first it went anywhere.
DROP INDEX entries_by_stream;
CREATE INDEX entries_by_stream ON entries (stream, tenant);
