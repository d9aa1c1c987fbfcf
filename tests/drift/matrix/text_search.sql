-- world text search
-- setup
CREATE SEQUENCE ids START 100;
CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION cfg (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR asciiword WITH dict;
CREATE TABLE t (id int PRIMARY KEY, note text);
INSERT INTO t SELECT i, 'running dogs ' || i FROM generate_series(1, 20) i;
-- query
SELECT id, to_tsvector('cfg', note) AS words FROM t
-- other
SELECT count(*) AS n FROM t
-- write
INSERT INTO t SELECT nextval('ids'), 'sleeping cats' FROM generate_series(1, 4) i; UPDATE t SET note = note || ' barking' WHERE id % 5 = 0

-- rows
another mapping | equals | ALTER TEXT SEARCH CONFIGURATION cfg ALTER MAPPING FOR asciiword WITH english_stem
other options of a dictionary | equals | ALTER TEXT SEARCH DICTIONARY dict (Accept = false, StopWords = english)
rename a configuration | equals | ALTER TEXT SEARCH CONFIGURATION cfg RENAME TO cfg2
rename a dictionary | equals | ALTER TEXT SEARCH DICTIONARY dict RENAME TO dict2
rename a dictionary that a constant names | equals | ALTER TEXT SEARCH DICTIONARY dict RENAME TO "Dict 2"
  query: SELECT id, ts_lexize('dict', note) AS words, 'dict' AS name FROM t
drop a configuration | stops text search configuration .*cfg.* (was dropped|does not exist) | DROP VIEW st_view; DROP TEXT SEARCH CONFIGURATION cfg
  cure: CREATE TEXT SEARCH CONFIGURATION cfg (COPY = pg_catalog.english)
drop and create a configuration | equals | DROP VIEW st_view; DROP TEXT SEARCH CONFIGURATION cfg; CREATE TEXT SEARCH CONFIGURATION cfg (COPY = pg_catalog.english)
a dictionary comes and goes | unchanged | CREATE TEXT SEARCH DICTIONARY d2 (TEMPLATE = simple); DROP TEXT SEARCH DICTIONARY d2
  unwatched: equals
a template and a parser come and go | unchanged | CREATE TEXT SEARCH TEMPLATE tmpl (LEXIZE = dsimple_lexize, INIT = dsimple_init); CREATE TEXT SEARCH PARSER prs (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype); ALTER TEXT SEARCH TEMPLATE tmpl RENAME TO tmpl2; ALTER TEXT SEARCH PARSER prs RENAME TO prs2; DROP TEXT SEARCH TEMPLATE tmpl2; DROP TEXT SEARCH PARSER prs2
  unwatched: equals
