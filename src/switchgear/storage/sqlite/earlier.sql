-- For a file of an earlier layout, which could not be brought to this one or is only read: what statements read, in a
-- connection's own views. There is no block in it, and its indexes list everything by tenant.
CREATE TEMP VIEW unfiled_parts (part, first) AS VALUES ('entries', 0), ('rows', 0);
CREATE TEMP VIEW unfiled_entries (block) AS SELECT 0 WHERE false;
CREATE TEMP VIEW blocks (part, first, goal, last) AS VALUES ('entries', 0, -1, -1), ('rows', 0, -1, -1);
CREATE TEMP VIEW recent_entries (block, tenant, seq, position) AS SELECT 0, 0, 0, 0 WHERE false;
CREATE TEMP VIEW recent_rows (space, facet, block, tenant, key) AS SELECT '', '', 0, '', '' WHERE false;
CREATE TEMP VIEW filed_entries (tenant, seq, position) AS
SELECT tenant, seq, position FROM entries INDEXED BY entries_by_seq;
CREATE TEMP VIEW filed_rows (space, facet, tenant, key) AS
SELECT space, facet, tenant, key FROM rows INDEXED BY rows_by_facet WHERE facet <> '';
