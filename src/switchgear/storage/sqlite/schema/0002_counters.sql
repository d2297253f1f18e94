-- Counters that appends add to, each as it stands after the last one.
CREATE TABLE counters (
    space TEXT NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (space, tenant, key)
) STRICT, WITHOUT ROWID;
