-- group Set operations
-- setup
CREATE TABLE a (x int, s text);
CREATE TABLE b (x bigint, s varchar(10));
CREATE TABLE c (x numeric, s text);
INSERT INTO a SELECT i % 6, 's' || i % 3 FROM generate_series(1, 15) i;
INSERT INTO b SELECT i % 5, 's' || i % 2 FROM generate_series(1, 12) i;
INSERT INTO c VALUES (1, 's1'), (1.0, 's1'), (NULL, NULL), (2, 's0');

-- query union_all DIFFERENTIAL
-- feature UNION ALL
SELECT x, s FROM a UNION ALL SELECT x, s FROM a WHERE x > 2

-- query union_distinct DIFFERENTIAL
-- feature UNION
SELECT x, s FROM a UNION SELECT x + 1, s FROM a

-- query intersect_distinct DIFFERENTIAL
-- feature INTERSECT
SELECT x, s FROM a INTERSECT SELECT x::int, s::text FROM b

-- query intersect_all DIFFERENTIAL
-- feature INTERSECT ALL
SELECT x, s FROM a INTERSECT ALL SELECT x::int, s::text FROM b

-- query except_distinct DIFFERENTIAL
-- feature EXCEPT
SELECT x, s FROM a EXCEPT SELECT x::int, s::text FROM b

-- query except_all DIFFERENTIAL
-- feature EXCEPT ALL
SELECT x, s FROM a EXCEPT ALL SELECT x::int, s::text FROM b

-- query nested_operations DIFFERENTIAL
-- feature nested set operations
(SELECT x, s FROM a UNION ALL SELECT x::int, s FROM b) EXCEPT (SELECT x::int, s FROM c INTERSECT SELECT x, s FROM a)

-- query limited DIFFERENTIAL
-- feature ORDER BY and LIMIT on top
SELECT x, s FROM a UNION SELECT x::int, s FROM b ORDER BY x DESC NULLS LAST, s LIMIT 4

-- query other_types DIFFERENTIAL
-- feature branches of different column types
SELECT x, s FROM a UNION ALL SELECT x, s FROM b UNION ALL SELECT x, s FROM c

-- query other_types_distinct DIFFERENTIAL
-- feature UNION, EXCEPT of different column types
(SELECT x, s FROM a UNION SELECT x, s FROM b) EXCEPT SELECT x, s FROM c

-- query of_aggregates DIFFERENTIAL
-- feature branches with aggregates and joins
SELECT s, count(*) AS n FROM a GROUP BY s UNION ALL SELECT a.s, b.x FROM a JOIN b ON b.x = a.x

-- query below DIFFERENTIAL
-- feature set operation below an aggregate
SELECT q.s, count(*) AS n FROM (SELECT x, s FROM a UNION SELECT x::int, s FROM b) q GROUP BY q.s

-- query limited_branches DIFFERENTIAL
-- feature branches with ORDER BY and LIMIT
(SELECT x, s FROM a ORDER BY x, s LIMIT 3) UNION ALL (SELECT x::int, s FROM b ORDER BY x DESC, s LIMIT 2)

-- query same_table_except DIFFERENTIAL
-- feature the same table on both sides
SELECT x FROM a EXCEPT SELECT x FROM a WHERE s = 's1'

-- query only_constants DIFFERENTIAL
-- feature branches of constants
SELECT x, s FROM a UNION SELECT 1, 'constant' UNION VALUES (2, NULL)

-- step
DELETE FROM a WHERE x = 2;
INSERT INTO a VALUES (9, 'n'), (9, 'n'), (NULL, NULL), (NULL, NULL);
DELETE FROM b WHERE x = 1;
INSERT INTO b VALUES (9, 'n'), (NULL, NULL);

-- step
UPDATE a SET s = 's1' WHERE x IS NULL OR x = 3;
UPDATE c SET x = 9, s = 'n';

-- step
DELETE FROM b;
