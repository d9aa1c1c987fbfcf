-- group Subqueries
-- setup
CREATE TABLE o (id int PRIMARY KEY, k int, x int, t text);
CREATE TABLE i (id int PRIMARY KEY, k int, y int, amount int);
CREATE TABLE s (a int, b int);
INSERT INTO o SELECT n, NULLIF(n % 6, 4), n % 5, 't' || n % 3 FROM generate_series(1, 18) n;
INSERT INTO i SELECT n, NULLIF(n % 5, 3), n % 4, n FROM generate_series(1, 20) n;
INSERT INTO s VALUES (1, 2), (2, 2), (3, NULL);

-- query exists_correlated DIFFERENTIAL
-- feature EXISTS, correlated
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i WHERE i.k = o.k AND i.y > 1)

-- query exists_uncorrelated DIFFERENTIAL
-- feature EXISTS, uncorrelated
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i WHERE i.amount > 18)

-- query not_exists DIFFERENTIAL
-- feature NOT EXISTS, correlated
SELECT o.id FROM o WHERE NOT EXISTS (SELECT FROM i WHERE i.k = o.k AND i.y > o.x)

-- query not_exists_uncorrelated DIFFERENTIAL
-- feature NOT EXISTS, uncorrelated
SELECT o.id FROM o WHERE NOT EXISTS (SELECT FROM s WHERE s.b > 2)

-- query exists_non_equality DIFFERENTIAL
-- feature EXISTS without an equality
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i WHERE i.amount < o.x)

-- query exists_limit DIFFERENTIAL
-- feature EXISTS (.. LIMIT 1)
SELECT o.id FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.k = o.k AND i.y > 1 LIMIT 1)

-- query exists_offset DIFFERENTIAL
-- feature EXISTS (.. OFFSET 2)
SELECT o.id FROM o WHERE EXISTS (SELECT 1 FROM i WHERE i.k = o.k AND i.y > 1 OFFSET 2)

-- query exists_grouped DIFFERENTIAL
-- feature EXISTS, GROUP BY and HAVING inside
SELECT o.id FROM o WHERE EXISTS (SELECT i.y FROM i WHERE i.k = o.k GROUP BY i.y HAVING count(*) > 1)

-- query in_plain DIFFERENTIAL
-- feature IN (subquery)
SELECT o.id FROM o WHERE o.k IN (SELECT i.k FROM i WHERE i.amount > 10)

-- query in_correlated DIFFERENTIAL
-- feature IN (subquery), correlated
SELECT o.id FROM o WHERE o.k IN (SELECT i.k FROM i WHERE i.y > o.x)

-- query not_in DIFFERENTIAL
-- feature NOT IN (subquery)
SELECT o.id FROM o WHERE o.k NOT IN (SELECT i.k FROM i WHERE i.amount > 15)

-- query not_in_not_null DIFFERENTIAL
-- feature NOT IN (subquery), neither side can be NULL
SELECT o.id FROM o WHERE o.id NOT IN (SELECT i.id FROM i WHERE i.amount > 5)

-- query not_in_correlated DIFFERENTIAL
-- feature NOT IN (subquery), correlated
SELECT o.id FROM o WHERE o.k NOT IN (SELECT i.k FROM i WHERE i.y = o.x)

-- query any_plain DIFFERENTIAL
-- feature ANY (subquery)
SELECT o.id FROM o WHERE o.x < ANY (SELECT s.a FROM s)

-- query any_correlated DIFFERENTIAL
-- feature ANY (subquery), correlated
SELECT o.id FROM o WHERE o.x > ANY (SELECT i.y FROM i WHERE i.k = o.k)

-- query all_plain DIFFERENTIAL
-- feature ALL (subquery)
SELECT o.id FROM o WHERE o.x <> ALL (SELECT s.b FROM s WHERE s.b IS NOT NULL)

-- query all_correlated DIFFERENTIAL
-- feature ALL (subquery), correlated
SELECT o.id FROM o WHERE o.x >= ALL (SELECT i.y FROM i WHERE i.k = o.k)

-- query row_in DIFFERENTIAL
-- feature row-valued IN
SELECT o.id FROM o WHERE (o.k, o.x) IN (SELECT i.k, i.y FROM i)

-- query row_not_in DIFFERENTIAL
-- feature row-valued NOT IN
SELECT o.id FROM o WHERE (o.k, o.x) NOT IN (SELECT i.k, i.y FROM i WHERE i.id % 2 = 0)

-- query exists_under_or DIFFERENTIAL
-- feature EXISTS under OR
SELECT o.id FROM o WHERE o.x = 3 OR EXISTS (SELECT FROM i WHERE i.k = o.k AND i.amount > 16)

-- query in_under_or DIFFERENTIAL
-- feature IN under OR
SELECT o.id FROM o WHERE o.x = 3 OR o.k IN (SELECT s.b FROM s)

-- query not_in_under_or DIFFERENTIAL
-- feature NOT IN under OR
SELECT o.id FROM o WHERE o.x = 3 OR o.k NOT IN (SELECT s.b FROM s)

-- query under_not DIFFERENTIAL
-- feature under NOT
SELECT o.id FROM o WHERE NOT (o.x = 3 OR EXISTS (SELECT FROM i WHERE i.k = o.k AND i.amount > 16))

-- query under_case DIFFERENTIAL
-- feature under CASE
SELECT o.id, CASE WHEN EXISTS (SELECT FROM i WHERE i.k = o.k AND i.y = 2) THEN 'yes' ELSE 'no' END AS has FROM o

-- query select_list DIFFERENTIAL
-- feature EXISTS, IN, ALL in the select list
SELECT o.id, EXISTS (SELECT FROM i WHERE i.k = o.k) AS e, o.k IN (SELECT s.b FROM s) AS m, o.x < ALL (SELECT i.y FROM i WHERE i.k = o.k) AS l FROM o

-- query in_having DIFFERENTIAL
-- feature in HAVING
SELECT o.t, sum(o.x) AS total FROM o GROUP BY o.t HAVING EXISTS (SELECT FROM s WHERE s.a = 2) AND sum(o.x) > (SELECT min(s.a) FROM s)

-- query in_having_correlated DIFFERENTIAL
-- feature in HAVING, correlated
SELECT o.k, count(*) AS n FROM o GROUP BY o.k HAVING count(*) > (SELECT count(*) / 2 FROM i WHERE i.k = o.k)

-- query in_on DIFFERENTIAL
-- feature in JOIN ON
SELECT o.id, i.id AS other FROM o JOIN i ON i.k = o.k AND EXISTS (SELECT FROM s WHERE s.a = i.y AND s.b <= o.x)

-- query in_left_on DIFFERENTIAL
-- feature in LEFT JOIN ON, reading one side
SELECT o.id, i.id AS other FROM o LEFT JOIN i ON i.k = o.k AND i.y IN (SELECT s.a FROM s)

-- query in_left_on_both DIFFERENTIAL
-- feature in LEFT JOIN ON, reading both sides
SELECT o.id, i.id AS other FROM o LEFT JOIN i ON i.k = o.k AND EXISTS (SELECT FROM s WHERE s.a = i.y AND s.b = o.x)

-- query in_full_on_both AUTO
-- feature in FULL JOIN ON, reading both sides
-- expect-mode FULL
SELECT o.id, i.id AS other FROM o FULL JOIN i ON i.k = o.k AND (SELECT s.a = i.y AND s.b = o.x FROM s WHERE s.b = 2 ORDER BY 1 LIMIT 1)

-- query scalar_aggregate DIFFERENTIAL
-- feature scalar subquery: correlated aggregate
SELECT o.id, (SELECT sum(i.amount) FROM i WHERE i.k = o.k) AS total, (SELECT count(*) FROM i WHERE i.k = o.k) AS n FROM o

-- query scalar_where DIFFERENTIAL
-- feature scalar subquery in WHERE: correlated aggregate
SELECT i.id FROM i WHERE i.amount > (SELECT avg(z.amount) FROM i z WHERE z.k = i.k)

-- query scalar_uncorrelated DIFFERENTIAL
-- feature scalar subquery: uncorrelated
SELECT o.id, (SELECT max(i.amount) FROM i) AS top FROM o WHERE o.x > (SELECT avg(s.a) FROM s)

-- query scalar_first DIFFERENTIAL
-- feature scalar subquery: ORDER BY .. LIMIT 1
SELECT o.id, (SELECT i.amount FROM i WHERE i.k = o.k ORDER BY i.y DESC NULLS LAST, i.id LIMIT 1) AS newest FROM o

-- query scalar_by_key DIFFERENTIAL
-- feature scalar subquery: lookup by key
SELECT o.id, (SELECT i.amount FROM i WHERE i.id = o.id) AS amount FROM o

-- query row_value DIFFERENTIAL
-- feature comparison with a row-valued subquery
SELECT o.id, (o.k, o.x) = (SELECT i.k, i.y FROM i WHERE i.id = o.id) AS same FROM o

-- query array_of DIFFERENTIAL
-- feature ARRAY(subquery)
SELECT o.id, ARRAY(SELECT i.amount FROM i WHERE i.k = o.k ORDER BY i.amount) AS amounts FROM o

-- query nested DIFFERENTIAL
-- feature nested subqueries
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i WHERE i.k = o.k AND i.y IN (SELECT s.a FROM s WHERE s.a <= i.y))

-- query nested_skip DIFFERENTIAL
-- feature correlation over two levels
SELECT o.id FROM o WHERE EXISTS (SELECT FROM i WHERE i.k = o.k AND EXISTS (SELECT FROM s WHERE s.a = i.y AND s.b = o.x))

-- query union_inside DIFFERENTIAL
-- feature set operation inside, correlated
SELECT o.id FROM o WHERE EXISTS (SELECT FROM s WHERE s.a = o.x UNION ALL SELECT FROM i WHERE i.k = o.k AND i.amount > 17)

-- query in_arguments DIFFERENTIAL
-- feature in the argument or FILTER of an aggregate
SELECT o.t, sum(CASE WHEN EXISTS (SELECT FROM i WHERE i.k = o.k) THEN 1 ELSE 0 END) AS e, count(*) FILTER (WHERE o.k IN (SELECT s.a FROM s)) AS f FROM o GROUP BY o.t

-- query grouped_by DIFFERENTIAL
-- feature in GROUP BY
SELECT (SELECT count(*) FROM i WHERE i.k = o.k) AS n, count(*) AS times FROM o GROUP BY (SELECT count(*) FROM i WHERE i.k = o.k)

-- query no_from DIFFERENTIAL
-- feature SELECT without FROM, of subqueries
SELECT (SELECT count(*) FROM o) AS os, (SELECT sum(i.amount) FROM i) AS total

-- query in_order_by DIFFERENTIAL
-- feature in ORDER BY with LIMIT
SELECT o.id FROM o ORDER BY (SELECT count(*) FROM i WHERE i.k = o.k) DESC, o.id LIMIT 4

-- query in_limited DIFFERENTIAL
-- feature IN (subquery with ORDER BY and LIMIT)
SELECT o.id FROM o WHERE o.x IN (SELECT i.y FROM i ORDER BY i.amount DESC, i.id LIMIT 3)

-- step inner and outer
DELETE FROM i WHERE amount % 4 = 0;
INSERT INTO i VALUES (100, 2, 2, 40), (101, NULL, 3, 41);
DELETE FROM o WHERE id % 5 = 0;
INSERT INTO o VALUES (100, 2, 0, 't1'), (101, NULL, NULL, 't2');

-- step the small table
UPDATE s SET b = a WHERE b IS NULL;
INSERT INTO s VALUES (4, 0), (4, 0);

-- step inner rows go
DELETE FROM i WHERE id > 5;
DELETE FROM s;
