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
-- Takes a JSON array of tenant names; answers [[name, id, position, seq, hash], …]; the position is null in an empty
-- chain. Looks into one block after another from the newest on, until there is an entry of the tenant.
WITH ends AS MATERIALIZED (
    SELECT tenants.name, tenants.id, coalesce(
        (WITH RECURSIVE back (next, position) AS (
            SELECT max(block), NULL FROM recent_entries
            UNION ALL
            SELECT
                (SELECT max(other.block) FROM recent_entries AS other WHERE other.block < back.next),
                (SELECT recent.position FROM recent_entries AS recent
                 WHERE recent.block = back.next AND recent.tenant = tenants.id ORDER BY recent.seq DESC LIMIT 1)
            FROM back
            WHERE back.position IS NULL AND back.next >= (SELECT first FROM unfiled_parts WHERE part = 'entries')
        )
        SELECT max(position) FROM back),
        (SELECT position FROM filed_entries AS filed WHERE filed.tenant = tenants.id ORDER BY filed.seq DESC LIMIT 1)
    ) AS position
    FROM json_each(?) AS wanted
    CROSS JOIN tenants ON tenants.name = wanted.value
)
SELECT json_group_array(json_array(ends.name, ends.id, ends.position, entries.seq, hex(entries.hash)))
FROM ends LEFT JOIN entries ON entries.position = ends.position AND entries.tenant = ends.id;

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
DELETE FROM entries WHERE position IN (
    SELECT position FROM filed_entries WHERE tenant = :tenant AND seq <= :seq
    UNION ALL
    SELECT recent.position FROM unfiled_entries AS unfiled
    CROSS JOIN recent_entries AS recent
        ON recent.block = unfiled.block AND recent.tenant = :tenant AND recent.seq <= :seq
);

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
-- The last event of an append: its entries are neighbours in the log, so the next one of another ends it.
SELECT (
    SELECT max(last.seq) FROM entries AS last
    WHERE last.position >= found.position AND last.position < coalesce(
        (SELECT later.position FROM entries AS later
         WHERE later.position > found.position AND later.append_id <> :append_id
         ORDER BY later.position LIMIT 1),
        9223372036854775807))
FROM entries AS found
WHERE found.tenant = (SELECT id FROM tenants WHERE name = :tenant) AND found.stream = :stream AND found.append_id = :append_id
ORDER BY found.position DESC LIMIT 1;

-- name: entries
-- Takes a tenant and a JSON array of positions.
SELECT json_group_array(json_array(
    position, seq, hex(prev), hex(hash), append_id, stream, hex(body), hex(payload), payload IS NULL))
FROM json_each(:positions) AS wanted
CROSS JOIN entries ON entries.position = wanted.value
    AND entries.tenant = (SELECT id FROM tenants WHERE name = :tenant);

-- name: filed_places
-- Sequences above one and up to another; answers [[seq, position], …]. Of a list, and not of entries: see index_facets.
SELECT json_group_array(json_array(seq, position)) FROM filed_entries
WHERE tenant = (SELECT id FROM tenants WHERE name = :tenant) AND seq > :above AND seq <= :through;

-- name: recent_places
SELECT json_group_array(json_array(recent.seq, recent.position)) FROM unfiled_entries AS unfiled
CROSS JOIN recent_entries AS recent
    ON recent.block = unfiled.block AND recent.tenant = (SELECT id FROM tenants WHERE name = :tenant)
    AND recent.seq > :above AND recent.seq <= :through;

-- name: next_seq
-- The first sequence above one, or null.
SELECT min(seq) FROM (
    SELECT min(seq) AS seq FROM filed_entries
    WHERE tenant = (SELECT id FROM tenants WHERE name = :tenant) AND seq > :above
    UNION ALL
    SELECT (
        SELECT min(recent.seq) FROM recent_entries AS recent
        WHERE recent.block = unfiled.block AND recent.tenant = (SELECT id FROM tenants WHERE name = :tenant)
            AND recent.seq > :above)
    FROM unfiled_entries AS unfiled
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
    WHERE EXISTS (SELECT 1 FROM filed_entries AS filed WHERE filed.tenant = tenants.id)
        OR EXISTS (
            SELECT 1 FROM unfiled_entries AS unfiled
            CROSS JOIN recent_entries AS recent ON recent.block = unfiled.block AND recent.tenant = tenants.id)
    ORDER BY name LIMIT ?
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
-- What an index, or what is filed, says of a row or an entry: it is found at once, and although that cannot be read.
WITH RECURSIVE facets (facet) AS (
    SELECT min(facet) FROM rows WHERE space = :space AND facet <> ''
    UNION ALL
    SELECT (SELECT min(facet) FROM rows WHERE space = :space AND facet > facets.facet AND facet <> '')
    FROM facets WHERE facets.facet IS NOT NULL
)
SELECT json_group_array(facet) FROM facets WHERE facet IS NOT NULL;

-- name: index_spaces
WITH RECURSIVE spaces (space) AS (
    SELECT min(space) FROM rows WHERE facet <> ''
    UNION ALL
    SELECT (SELECT min(space) FROM rows WHERE space > spaces.space AND facet <> '')
    FROM spaces WHERE spaces.space IS NOT NULL
)
SELECT json_group_array(space) FROM spaces WHERE space IS NOT NULL;

-- name: runs
-- The highest key below one in each block, and in what is filed, which is block -1; answers [[key, block], …].
WITH RECURSIVE unfiled (block) AS (
    SELECT min(block) FROM recent_rows
    WHERE space = :space AND facet = :facet AND block >= +(SELECT first FROM unfiled_parts WHERE part = 'rows')
    UNION ALL
    SELECT (
        SELECT min(recent.block) FROM recent_rows AS recent
        WHERE recent.space = :space AND recent.facet = :facet AND recent.block > unfiled.block)
    FROM unfiled WHERE unfiled.block IS NOT NULL
)
SELECT json_group_array(json_array(key, block))
FROM (
    SELECT (
        SELECT max(key) FROM filed_rows
        WHERE space = :space AND facet = :facet AND tenant = :tenant AND key < :below
    ) AS key, -1 AS block
    UNION ALL
    SELECT (
        SELECT max(recent.key) FROM recent_rows AS recent
        WHERE recent.space = :space AND recent.facet = :facet AND recent.block = unfiled.block
            AND recent.tenant = :tenant AND recent.key < :below
    ), unfiled.block
    FROM unfiled
)
WHERE key IS NOT NULL;

-- name: filed_run
SELECT json_group_array(key)
FROM (
    SELECT key FROM filed_rows
    WHERE space = :space AND facet = :facet AND tenant = :tenant AND key < :below
    ORDER BY key DESC LIMIT :limit
);

-- name: recent_run
SELECT json_group_array(key)
FROM (
    SELECT key FROM recent_rows
    WHERE space = :space AND facet = :facet AND block = :block AND tenant = :tenant AND key < :below
    ORDER BY key DESC LIMIT :limit
);

-- name: scan
SELECT json_group_array(json_array(tenant, key))
FROM (
    SELECT * FROM (
        SELECT tenant, key FROM filed_rows
        WHERE space = :space AND facet = :facet AND (tenant, key) > (:tenant, :key)
        ORDER BY tenant, key LIMIT :limit)
    UNION
    SELECT * FROM (
        SELECT tenant, key FROM recent_rows
        WHERE space = :space AND facet = :facet AND block >= +(SELECT first FROM unfiled_parts WHERE part = 'rows')
            AND (tenant, key) > (:tenant, :key)
        ORDER BY tenant, key LIMIT :limit)
    ORDER BY tenant, key LIMIT :limit
);

-- name: index_stream
SELECT json_group_array(position)
FROM (
    SELECT position FROM entries INDEXED BY entries_by_stream
    WHERE tenant = (SELECT id FROM tenants WHERE name = ?) AND stream = ? AND position > ?
    ORDER BY position LIMIT ?
);

-- name: chains
-- Tenants above one by id; answers [[id, name, position, seq, hash], …]; the position is null in an empty chain.
WITH
    some AS (SELECT id, name FROM tenants WHERE id > :after ORDER BY id LIMIT :limit),
    recent AS (
        SELECT recent.tenant, recent.position, max(recent.seq) FROM unfiled_entries AS unfiled
        CROSS JOIN recent_entries AS recent
            ON recent.block = unfiled.block AND recent.tenant > :after AND recent.tenant <= (SELECT max(id) FROM some)
        GROUP BY recent.tenant),
    ends AS MATERIALIZED (
        SELECT some.id, some.name, coalesce(
            recent.position,
            (SELECT position FROM filed_entries AS filed WHERE filed.tenant = some.id ORDER BY filed.seq DESC LIMIT 1)
        ) AS position
        FROM some LEFT JOIN recent ON recent.tenant = some.id)
SELECT json_group_array(json_array(ends.id, ends.name, ends.position, entries.seq, hex(entries.hash)))
FROM ends LEFT JOIN entries ON entries.position = ends.position AND entries.tenant = ends.id;

-- name: blocks
-- Of a part; answers [first that is not filed, last that may be filed, newest].
SELECT json_array(first, goal, last) FROM blocks WHERE part = ?;

-- name: begin_filing
-- Also says what is filed, so that it is mended where it could not be.
INSERT INTO filing (part, through, goal, total) VALUES (:part, :first - 1, :goal, :first - 1 + :goal)
ON CONFLICT (part) DO UPDATE SET through = excluded.through, goal = excluded.goal, total = excluded.total;

-- name: end_filing
UPDATE filing SET through = goal, total = 2 * goal WHERE part = :part;

-- name: end_of_entries
-- The id of the tenant behind so many that begin with one; none when there are no more.
SELECT id FROM tenants WHERE id >= :begin ORDER BY id LIMIT 1 OFFSET :width;

-- name: end_of_rows
SELECT name FROM tenants WHERE name >= :begin ORDER BY name LIMIT 1 OFFSET :width;

-- name: weigh_entries
-- How many there are of tenants from one to below another, in blocks from one through another; at most `most`.
SELECT count(*) FROM (
    SELECT 1 FROM unfiled_entries AS unfiled
    CROSS JOIN recent_entries AS recent
        ON recent.block = unfiled.block AND recent.tenant >= :begin AND recent.tenant < :end
    WHERE unfiled.block BETWEEN :from AND :to LIMIT :most
);

-- name: weigh_rows
WITH RECURSIVE unfiled (space, facet, block) AS (
    SELECT list.value ->> 0, list.value ->> 1, (
        SELECT min(recent.block) FROM recent_rows AS recent
        WHERE recent.space = list.value ->> 0 AND recent.facet = list.value ->> 1 AND recent.block >= :from)
    FROM json_each(:lists) AS list
    UNION ALL
    SELECT space, facet, (
        SELECT min(recent.block) FROM recent_rows AS recent
        WHERE recent.space = unfiled.space AND recent.facet = unfiled.facet AND recent.block > unfiled.block)
    FROM unfiled WHERE unfiled.block < :to
)
SELECT count(*) FROM (
    SELECT 1 FROM unfiled
    CROSS JOIN recent_rows AS recent
        ON recent.space = unfiled.space AND recent.facet = unfiled.facet AND recent.block = unfiled.block
        AND recent.tenant >= :begin AND recent.tenant < :end
    WHERE unfiled.block <= :to LIMIT :most
);

-- name: file_entries
-- An entry that is filed already stays; another one of the same sequence is refused, by a value that it cannot have.
INSERT INTO filed_entries (tenant, seq, position)
SELECT recent.tenant, recent.seq, recent.position FROM unfiled_entries AS unfiled
CROSS JOIN recent_entries AS recent
    ON recent.block = unfiled.block AND recent.tenant >= :begin AND recent.tenant < :end
WHERE unfiled.block BETWEEN :from AND :to
ORDER BY recent.tenant, recent.seq
ON CONFLICT (tenant, seq) DO UPDATE SET position = NULL WHERE position <> excluded.position;

-- name: file_rows
WITH RECURSIVE unfiled (space, facet, block) AS (
    SELECT list.value ->> 0, list.value ->> 1, (
        SELECT min(recent.block) FROM recent_rows AS recent
        WHERE recent.space = list.value ->> 0 AND recent.facet = list.value ->> 1 AND recent.block >= :from)
    FROM json_each(:lists) AS list
    UNION ALL
    SELECT space, facet, (
        SELECT min(recent.block) FROM recent_rows AS recent
        WHERE recent.space = unfiled.space AND recent.facet = unfiled.facet AND recent.block > unfiled.block)
    FROM unfiled WHERE unfiled.block < :to
)
INSERT OR IGNORE INTO filed_rows (space, facet, tenant, key)
SELECT recent.space, recent.facet, recent.tenant, recent.key FROM unfiled
CROSS JOIN recent_rows AS recent
    ON recent.space = unfiled.space AND recent.facet = unfiled.facet AND recent.block = unfiled.block
    AND recent.tenant >= :begin AND recent.tenant < :end
WHERE unfiled.block <= :to
ORDER BY recent.space, recent.facet, recent.tenant, recent.key;

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

-- name: count_filing
SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'filing';

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
