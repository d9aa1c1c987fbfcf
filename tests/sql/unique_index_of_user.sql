-- Unique indexes and exclusion constraints that users make on stream tables: values change places between rows.
-- setup
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE TABLE t (id int, v int, name text, during int4range);
INSERT INTO t SELECT i, i * 10, 'n' || i, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 6) i;
CREATE TABLE keyed (id int PRIMARY KEY, slot int, label text, during int4range);
INSERT INTO keyed SELECT i, i, 'L' || i, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 6) i;

-- query bag DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, v, name FROM t

-- query bag_full FULL
SELECT id, v, name FROM t

-- query in_place DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, slot, label, during FROM keyed

-- query in_place_full FULL
SELECT id, slot, label FROM keyed

-- query ranks DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, rank() OVER (ORDER BY slot) AS r FROM keyed

-- query by_group DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, max(v) AS top, count(*) AS n FROM t GROUP BY id

-- query top DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT id, slot FROM keyed ORDER BY slot LIMIT 4

-- step indexes come
CREATE UNIQUE INDEX ON bag (id);
CREATE UNIQUE INDEX ON bag_full (id);
CREATE UNIQUE INDEX ON in_place (slot);
CREATE UNIQUE INDEX ON in_place (lower(label)) WHERE slot < 100;
ALTER TABLE in_place ADD EXCLUDE USING gist (during WITH &&);
CREATE UNIQUE INDEX ON in_place_full (slot);
CREATE UNIQUE INDEX ON ranks (r);
CREATE UNIQUE INDEX ON by_group (top);
CREATE UNIQUE INDEX ON top (slot);

-- step
UPDATE t SET id = 7 - id;

-- step
UPDATE keyed SET slot = 7 - slot, label = 'L' || 7 - slot, during = int4range((7 - slot) * 10, (7 - slot) * 10 + 10);

-- step ranks and ranges trade places through one more row
DELETE FROM keyed WHERE slot = 6;
INSERT INTO keyed VALUES (10, 0, 'new', int4range(60, 70));

-- step
UPDATE t SET v = 80 - v;

-- step one that goes makes room
DELETE FROM t WHERE id = 3;
INSERT INTO t VALUES (3, 55, 'again', NULL);

-- step
UPDATE keyed SET id = id + 100, slot = slot + 1;

-- step constraints that are checked later
ALTER TABLE bag ADD CONSTRAINT later UNIQUE (v) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE in_place ADD CONSTRAINT same_as_key UNIQUE (id) DEFERRABLE;
ALTER TABLE ranks ADD CONSTRAINT later_too EXCLUDE USING gist (r WITH =) DEFERRABLE INITIALLY DEFERRED;

-- step
UPDATE t SET v = 1000 - v;
UPDATE keyed SET slot = 10 - slot;

-- step
TRUNCATE keyed;
INSERT INTO keyed SELECT i, 7 - i, 'L' || 7 - i, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 6) i;
