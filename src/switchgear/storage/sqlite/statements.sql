-- Every statement of the SQLite adapter. A line "-- name: x" opens one; a row in braces is written as often as there are rows.
-- Reads return one row with JSON, because the interpreter's lock changes hands at every row.
-- A parameter is a plain ? in its turn, or has a name: CPython 3.12 before 3.12.4 takes a numbered one for a name.

-- name: begin
BEGIN IMMEDIATE;
-- name: begin_reading
BEGIN;
-- name: commit
COMMIT;
-- name: rollback
ROLLBACK;

-- name: probe
-- Changes nothing, and is rolled back; but only a file that can be written lets it pass.
UPDATE schema_files SET applied_at = applied_at WHERE number = 1;

-- name: versions
-- Takes a JSON array of [space, tenant, key]; answers [[index, version], …] of those that exist.
SELECT json_group_array(json_array(wanted.key, rows.version))
FROM json_each(?) AS wanted
CROSS JOIN rows ON rows.space = wanted.value ->> 0
    AND rows.tenant = wanted.value ->> 1
    AND rows.key = wanted.value ->> 2;

-- name: counted
-- Takes a JSON array of [space, tenant, key]; answers [[index, value], …] of those that exist.
SELECT json_group_array(json_array(wanted.key, counters.value))
FROM json_each(?) AS wanted
CROSS JOIN counters ON counters.space = wanted.value ->> 0
    AND counters.tenant = wanted.value ->> 1
    AND counters.key = wanted.value ->> 2;

-- name: add_tenants
-- Takes a JSON array of names.
INSERT INTO tenants (name) SELECT value FROM json_each(?) WHERE true ON CONFLICT (name) DO NOTHING;

-- name: heads
-- Takes a JSON array of tenant names; answers [[name, id, seq, hash], …].
SELECT json_group_array(json_array(
    tenants.name, tenants.id, coalesce(entries.seq, 0), coalesce(hex(entries.hash), '')))
FROM json_each(?) AS wanted
CROSS JOIN tenants ON tenants.name = wanted.value
LEFT JOIN entries ON entries.tenant = tenants.id
    AND entries.seq = (SELECT max(last.seq) FROM entries AS last WHERE last.tenant = tenants.id);

-- name: insert_entries
-- A payload that is not there comes as 0, which none can be: see statements.py.
INSERT INTO entries (tenant, seq, prev, hash, append_id, stream, body, payload)
VALUES {(?, ?, ?, ?, ?, ?, ?, nullif(?, 0))};

-- name: flush_log
PRAGMA wal_checkpoint(TRUNCATE);

-- name: erase
-- By the stream, which is short, and not by the sequence, which has the whole chain below it.
UPDATE entries INDEXED BY entries_by_stream SET payload = NULL WHERE tenant = ? AND stream = ? AND seq <= ? AND payload IS NOT NULL;

-- name: cut
DELETE FROM entries WHERE tenant = ? AND seq <= ?;

-- name: insert_rows
-- One that is there already is refused.
INSERT INTO rows (space, tenant, key, version, facet, value) VALUES {(?, ?, ?, ?, ?, ?)};

-- name: upsert_rows
INSERT INTO rows (space, tenant, key, version, facet, value) VALUES {(?, ?, ?, ?, ?, ?)}
ON CONFLICT (space, tenant, key) DO UPDATE
SET version = excluded.version, facet = excluded.facet, value = excluded.value;

-- name: upsert_counters
INSERT INTO counters (space, tenant, key, value) VALUES {(?, ?, ?, ?)}
ON CONFLICT (space, tenant, key) DO UPDATE SET value = excluded.value;

-- name: get
-- Takes a JSON array of [space, tenant, key]; answers [[index, version, facet, value], …] of those that exist.
SELECT json_group_array(json_array(wanted.key, rows.version, rows.facet, hex(rows.value)))
FROM json_each(?) AS wanted
CROSS JOIN rows ON rows.space = wanted.value ->> 0
    AND rows.tenant = wanted.value ->> 1
    AND rows.key = wanted.value ->> 2;

-- name: appended
-- The last event of an append: its entries are neighbours in the chain, so the next one of another ends it.
SELECT coalesce(
    (SELECT later.seq - 1 FROM entries AS later
     WHERE later.tenant = found.tenant AND later.seq > found.seq AND later.append_id <> :append_id
     ORDER BY later.seq LIMIT 1),
    (SELECT max(last.seq) FROM entries AS last WHERE last.tenant = found.tenant))
FROM entries AS found
WHERE found.tenant = (SELECT id FROM tenants WHERE name = :tenant) AND found.stream = :stream AND found.append_id = :append_id
ORDER BY found.position DESC LIMIT 1;

-- name: entries
SELECT json_group_array(json_array(
    position, seq, hex(prev), hex(hash), append_id, stream, hex(body), hex(payload), payload IS NULL))
FROM (
    SELECT * FROM entries
    WHERE tenant = (SELECT id FROM tenants WHERE name = ?) AND seq > ?
    ORDER BY seq LIMIT ?
);

-- name: stream
SELECT json_group_array(json_array(
    position, seq, hex(prev), hex(hash), append_id, stream, hex(body), hex(payload), payload IS NULL))
FROM (
    SELECT * FROM entries
    WHERE tenant = (SELECT id FROM tenants WHERE name = ?) AND stream = ? AND position > ?
    ORDER BY position LIMIT ?
);

-- name: tenants
-- The first by name, as many as the parameter says; all when it is negative. One without an entry was named by an
-- append that wrote rows only.
SELECT json_group_array(name)
FROM (
    SELECT name FROM tenants
    WHERE EXISTS (SELECT 1 FROM entries WHERE entries.tenant = tenants.id)
    ORDER BY name LIMIT ?
);

-- name: scan
-- One facet; the rows of several are merged by their order. Only rows with a facet are in its index, and a read of it
-- has to say so in the same words.
SELECT json_group_array(json_array(tenant, key, version, facet, hex(value)))
FROM (
    SELECT * FROM rows INDEXED BY rows_by_facet
    WHERE space = ? AND facet = ? AND facet <> '' AND (tenant, key) > (?, ?)
    ORDER BY tenant, key LIMIT ?
);

-- name: count
SELECT count(*) FROM rows WHERE space = ? AND facet IN (SELECT value FROM json_each(?)) AND facet <> '';

-- name: counters
-- Keys from the third parameter on, below the fourth, and not the fifth itself; every text is below a blob.
SELECT json_group_array(json_array(key, value))
FROM (
    SELECT key, value FROM counters
    WHERE space = ? AND tenant = ? AND key >= ? AND key < ? AND key IS NOT ?
    ORDER BY key LIMIT ?
);

-- name: index_facets
-- What index_… reads stands in an index alone: it is found at once, and although the record itself cannot be read.
WITH RECURSIVE facets (facet) AS (
    SELECT min(facet) FROM rows INDEXED BY rows_by_facet WHERE space = :space AND facet <> ''
    UNION ALL
    SELECT (SELECT min(facet) FROM rows INDEXED BY rows_by_facet
            WHERE space = :space AND facet > facets.facet AND facet <> '')
    FROM facets WHERE facets.facet IS NOT NULL
)
SELECT json_group_array(facet) FROM facets WHERE facet IS NOT NULL;

-- name: index_page
SELECT json_group_array(json_array(tenant, key))
FROM (
    SELECT tenant, key FROM rows INDEXED BY rows_by_facet
    WHERE space = ? AND facet = ? AND facet <> '' AND tenant = ? AND key < ?
    ORDER BY key DESC LIMIT ?
);

-- name: index_scan
SELECT json_group_array(json_array(tenant, key))
FROM (
    SELECT tenant, key FROM rows INDEXED BY rows_by_facet
    WHERE space = ? AND facet = ? AND facet <> '' AND (tenant, key) > (?, ?)
    ORDER BY tenant, key LIMIT ?
);

-- name: index_entries
SELECT json_group_array(json_array(position, seq))
FROM (
    SELECT position, seq FROM entries INDEXED BY entries_by_seq
    WHERE tenant = (SELECT id FROM tenants WHERE name = ?) AND seq > ?
    ORDER BY seq LIMIT ?
);

-- name: index_stream
SELECT json_group_array(position)
FROM (
    SELECT position FROM entries INDEXED BY entries_by_stream
    WHERE tenant = (SELECT id FROM tenants WHERE name = ?) AND stream = ? AND position > ?
    ORDER BY position LIMIT ?
);

-- name: entry
SELECT json_array(
    position, seq, hex(prev), hex(hash), append_id, stream, hex(body), hex(payload), payload IS NULL)
FROM entries WHERE position = ?;

-- name: chains
-- All that have an entry, above one by name; answers [[name, seq, hash], …].
SELECT json_group_array(json_array(name, seq, hex(hash)))
FROM (
    SELECT tenants.name, entries.seq, entries.hash FROM tenants
    CROSS JOIN entries ON entries.tenant = tenants.id
        AND entries.seq = (SELECT max(last.seq) FROM entries AS last WHERE last.tenant = tenants.id)
    WHERE tenants.name > ?
    ORDER BY tenants.name LIMIT ?
);

-- name: applied
SELECT json_group_array(json_array(number, name, checksum)) FROM schema_files;

-- name: create_schema_files
CREATE TABLE schema_files (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at REAL NOT NULL
) STRICT;

-- name: record_schema
INSERT INTO schema_files (number, name, checksum, applied_at) VALUES (?, ?, ?, ?);

-- name: count_tables
SELECT count(*) FROM sqlite_schema;

-- name: create_names
-- The names of all rows in the order of tenants, for a file without an engine; kept beside it, and not in it.
CREATE TEMP TABLE names (
    space TEXT NOT NULL, tenant TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (space, tenant, key)
) STRICT, WITHOUT ROWID;
-- name: copy_names
INSERT INTO names SELECT space, tenant, key FROM rows INDEXED BY rows_by_key ORDER BY space, tenant, key;
-- name: copy_names_of_facets
-- Of an early file, in which rows are clustered by name, and have all a place in this index.
INSERT INTO names SELECT space, tenant, key FROM rows INDEXED BY rows_by_facet ORDER BY space, tenant, key;
-- name: copy_names_of_table
-- Of a file whose index is damaged: from the rows themselves.
INSERT INTO names SELECT space, tenant, key FROM rows NOT INDEXED WHERE true ON CONFLICT DO NOTHING;
-- name: count_names
-- Reads all of the index.
SELECT count(key) FROM rows INDEXED BY rows_by_key;
-- name: add_name
INSERT INTO names (space, tenant, key) VALUES (?, ?, ?) ON CONFLICT DO NOTHING;
-- name: remove_name
DELETE FROM names WHERE space = ? AND tenant = ? AND key = ?;
-- name: names_below
-- The third parameter is a key, or a blob, which is above every text.
SELECT json_group_array(key)
FROM (SELECT key FROM names WHERE space = ? AND tenant = ? AND key < ? ORDER BY key DESC LIMIT ?);
-- name: count_indexes
SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = ?;
-- name: spaces
-- Answers the spaces of rows.
SELECT json_group_array(space) FROM (SELECT DISTINCT space FROM names);
-- name: spaces_of_counters
SELECT json_group_array(space) FROM (SELECT DISTINCT space FROM counters);
-- name: tenants_of_rows
-- Takes a space.
SELECT json_group_array(tenant) FROM (SELECT DISTINCT tenant FROM names WHERE space = ?);
-- name: tenants_of_counters
SELECT json_group_array(tenant) FROM (SELECT DISTINCT tenant FROM counters WHERE space = ?);
-- name: copy_entry
-- An entry at its own position, of the tenant with a name.
INSERT INTO entries (position, tenant, seq, prev, hash, append_id, stream, body, payload)
VALUES (?, (SELECT id FROM tenants WHERE name = ?), ?, ?, ?, ?, ?, ?, ?);
-- name: remove_row
DELETE FROM rows WHERE space = ? AND tenant = ? AND key = ?;
