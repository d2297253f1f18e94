-- In which order the lists of tenants are written, and not what they hold: every statement reads all layouts (see earlier.sql).
-- A list by tenant has a page of its own to write for each tenant. So what is new is listed by block: 1,024 positions of
-- the log, or 1,024 rows, one after another, and by tenant only within, which is a few pages. From time to time all that
-- is not filed yet is filed by tenant, many of each at once (see filing.py). The recent blocks and the files make the list:
-- a log-structured merge tree of two levels (O'Neil and others, 1996).
CREATE TABLE filing (
    part TEXT PRIMARY KEY,
    through INTEGER NOT NULL, -- the last block of which all is filed
    goal INTEGER NOT NULL, -- the last block of which some may be filed
    total INTEGER NOT NULL -- of both, which tells damage to one of them
) STRICT, WITHOUT ROWID;

INSERT INTO filing (part, through, goal, total)
SELECT part, through, through, 2 * through FROM (
    SELECT 'entries' AS part, (coalesce(max(position), 0) >> 10) - 1 AS through FROM entries
    UNION ALL
    SELECT 'rows', (count(*) >> 10) - 1 FROM rows
);

CREATE TABLE filed_entries (
    tenant INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (tenant, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO filed_entries (tenant, seq, position)
SELECT tenant, seq, position FROM entries INDEXED BY entries_by_seq
WHERE position >> 10 <= (SELECT through FROM filing WHERE part = 'entries')
ORDER BY tenant, seq;

DROP INDEX entries_by_seq;
CREATE UNIQUE INDEX entries_by_block ON entries (position >> 10, tenant, seq);

-- Rows get a number of their own, by which they are in blocks.
ALTER TABLE rows RENAME TO rows_before;

CREATE TABLE rows (
    id INTEGER PRIMARY KEY,
    space TEXT NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    facet TEXT NOT NULL,
    value BLOB NOT NULL
) STRICT;

INSERT INTO rows (space, tenant, key, version, facet, value)
SELECT space, tenant, key, version, facet, value FROM rows_before NOT INDEXED ORDER BY rowid;

-- Refuses a file of which a row would be left behind, by a value that this column cannot have.
UPDATE schema_files SET name = NULL
WHERE (SELECT count(*) FROM rows) <> (SELECT count(key) FROM rows_before INDEXED BY rows_by_key);

DROP TABLE rows_before;

CREATE UNIQUE INDEX rows_by_key ON rows (space, key, tenant);
-- A row without a facet is found by its name, and is in no list.
CREATE INDEX rows_by_block ON rows (space, facet, id >> 10, tenant, key) WHERE facet <> '';

CREATE TABLE filed_rows (
    space TEXT NOT NULL,
    facet TEXT NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (space, facet, tenant, key)
) STRICT, WITHOUT ROWID;

INSERT INTO filed_rows (space, facet, tenant, key)
SELECT space, facet, tenant, key FROM rows INDEXED BY rows_by_block
WHERE facet <> '' AND id >> 10 <= (SELECT through FROM filing WHERE part = 'rows')
ORDER BY space, facet, tenant, key;

-- What is filed and changes afterwards is filed anew at once.
CREATE TRIGGER entries_removed AFTER DELETE ON entries
WHEN old.position >> 10 <= coalesce((SELECT goal FROM noted WHERE part = 'entries'), old.position >> 10)
BEGIN
    DELETE FROM filed_entries WHERE tenant = old.tenant AND seq = old.seq;
END;

CREATE TRIGGER rows_removed AFTER DELETE ON rows
WHEN old.facet <> '' AND old.id >> 10 <= coalesce((SELECT goal FROM noted WHERE part = 'rows'), old.id >> 10)
BEGIN
    DELETE FROM filed_rows
    WHERE space = old.space AND facet = old.facet AND tenant = old.tenant AND key = old.key;
END;

CREATE TRIGGER rows_moved AFTER UPDATE OF facet ON rows
WHEN old.facet <> new.facet AND old.id >> 10 <= coalesce((SELECT goal FROM noted WHERE part = 'rows'), old.id >> 10)
BEGIN
    DELETE FROM filed_rows
    WHERE space = old.space AND facet = old.facet AND tenant = old.tenant AND key = old.key;
    INSERT INTO filed_rows (space, facet, tenant, key)
    SELECT new.space, new.facet, new.tenant, new.key WHERE new.facet <> '' ON CONFLICT DO NOTHING;
END;

-- What statements read: from which block on not all is filed, which of these blocks have entries, and what is in a block.
-- When `filing` says what cannot be, or nothing, no block counts as filed: a head that is looked for in too few of them
-- would be another one. How many blocks there are to look into is not told by a number that damage may have made large.
CREATE VIEW noted (part, through, goal) AS
SELECT part, through, goal FROM filing WHERE through BETWEEN -1 AND goal AND total = through + goal;

CREATE VIEW unfiled_parts (part, first) AS
SELECT parts.part, coalesce(noted.through + 1, 0)
FROM (SELECT 'entries' AS part UNION ALL SELECT 'rows') AS parts LEFT JOIN noted ON noted.part = parts.part;

CREATE VIEW recent_entries (block, tenant, seq, position) AS
SELECT position >> 10, tenant, seq, position FROM entries INDEXED BY entries_by_block;

CREATE VIEW recent_rows (space, facet, block, tenant, key) AS
SELECT space, facet, id >> 10, tenant, key FROM rows INDEXED BY rows_by_block WHERE facet <> '';

CREATE VIEW unfiled_entries (block) AS
WITH RECURSIVE present (block) AS (
    SELECT min(block) FROM recent_entries WHERE block >= +(SELECT first FROM unfiled_parts WHERE part = 'entries')
    UNION ALL
    SELECT (SELECT min(recent.block) FROM recent_entries AS recent WHERE recent.block > present.block)
    FROM present WHERE present.block IS NOT NULL
)
SELECT block FROM present WHERE block IS NOT NULL;

-- What a pass goes by: the newest block is where the next entry, or row, will be.
CREATE VIEW blocks (part, first, goal, last) AS
SELECT part, first, coalesce((SELECT goal FROM noted WHERE noted.part = unfiled_parts.part), -1), CASE part
    WHEN 'entries' THEN coalesce((SELECT max(position) >> 10 FROM entries), -1)
    ELSE coalesce((SELECT max(id) >> 10 FROM rows), -1)
END
FROM unfiled_parts;
