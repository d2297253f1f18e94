-- In which order the indexes of rows are, and not what they hold: every statement reads all layouts (see schema.py).
-- Keys are ids in order of time, or words that the callers choose: by key first, what many tenants do at one time lies
-- in few pages; by tenant first, each tenant's row is a page of its own to write.
DROP INDEX rows_by_key;
CREATE UNIQUE INDEX rows_by_key ON rows (space, key, tenant);

-- A row without a facet is found by its name, and is in no list. So it needs no place here.
DROP INDEX rows_by_facet;
CREATE INDEX rows_by_facet ON rows (space, facet, tenant, key) WHERE facet <> '';
