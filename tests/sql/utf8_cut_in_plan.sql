-- "invalid byte sequence for encoding UTF8: 0xc3 0x2e": operators/project.cpp describe() cuts its text at 157 bytes, inside a UTF-8
-- sequence (deparse.cpp shortened() shows how to cut); the plan text then cannot be stored.
-- setup
CREATE TABLE t1 (k int4, "sum" text, "delta" timestamptz);
CREATE VIEW view1 AS SELECT CASE WHEN ("a"."ö" IS DISTINCT FROM "a"."ö" AND ("a"."ö") IS NOT NULL) THEN "a"."delta" ELSE '2024-03-31 02:30:00+00'::timestamptz END AS "c1", TRIM(BOTH 'a' FROM "a"."c3") AS "q""x", "a"."ö" AS "c3", "a"."delta", ("a"."ö" || ("a"."c3" || "a"."sum")) AS "c5" FROM (SELECT "a"."sum", "a"."k", "a"."sum" AS "c3", "a"."delta", "a"."sum" AS "ö" FROM t1 AS "a" WHERE ((("delta" + '1 day'::interval) AT TIME ZONE 'UTC')::date)::timestamptz IS DISTINCT FROM "delta") AS "a";

-- query st DIFFERENTIAL
-- expect-mode DIFFERENTIAL
SELECT "b"."c5" FROM t1 "a", view1 "b" JOIN (SELECT "c1" FROM view1) AS "c" ON "c"."c1" = "b"."c1" WHERE "b"."delta" = "a"."delta"

-- step
INSERT INTO t1 VALUES (1, 'a', '2024-03-31 02:30:00+00');
