-- TPC-H's eight tables with data of the specification's shape, scale factor :sf, all of it computed from hashes of the
-- keys: the same :sf always gives the same rows. Names, types, value lists and rules follow the specification where a
-- query depends on them; comments are shorter. Helpers are in schema tpch, tables in the current one.
--
--   psql -v sf=0.01 -f tests/tpch/data.sql -f tests/tpch/changes.sql

CREATE TABLE region (
    r_regionkey integer NOT NULL,
    r_name      char(25) NOT NULL,
    r_comment   varchar(152) NOT NULL);

CREATE TABLE nation (
    n_nationkey integer NOT NULL,
    n_name      char(25) NOT NULL,
    n_regionkey integer NOT NULL,
    n_comment   varchar(152) NOT NULL);

CREATE TABLE supplier (
    s_suppkey   integer NOT NULL,
    s_name      char(25) NOT NULL,
    s_address   varchar(40) NOT NULL,
    s_nationkey integer NOT NULL,
    s_phone     char(15) NOT NULL,
    s_acctbal   numeric(15,2) NOT NULL,
    s_comment   varchar(101) NOT NULL);

CREATE TABLE part (
    p_partkey     integer NOT NULL,
    p_name        varchar(55) NOT NULL,
    p_mfgr        char(25) NOT NULL,
    p_brand       char(10) NOT NULL,
    p_type        varchar(25) NOT NULL,
    p_size        integer NOT NULL,
    p_container   char(10) NOT NULL,
    p_retailprice numeric(15,2) NOT NULL,
    p_comment     varchar(23) NOT NULL);

CREATE TABLE partsupp (
    ps_partkey    integer NOT NULL,
    ps_suppkey    integer NOT NULL,
    ps_availqty   integer NOT NULL,
    ps_supplycost numeric(15,2) NOT NULL,
    ps_comment    varchar(199) NOT NULL);

CREATE TABLE customer (
    c_custkey    integer NOT NULL,
    c_name       varchar(25) NOT NULL,
    c_address    varchar(40) NOT NULL,
    c_nationkey  integer NOT NULL,
    c_phone      char(15) NOT NULL,
    c_acctbal    numeric(15,2) NOT NULL,
    c_mktsegment char(10) NOT NULL,
    c_comment    varchar(117) NOT NULL);

CREATE TABLE orders (
    o_orderkey      bigint NOT NULL,
    o_custkey       integer NOT NULL,
    o_orderstatus   char(1) NOT NULL,
    o_totalprice    numeric(15,2) NOT NULL,
    o_orderdate     date NOT NULL,
    o_orderpriority char(15) NOT NULL,
    o_clerk         char(15) NOT NULL,
    o_shippriority  integer NOT NULL,
    o_comment       varchar(79) NOT NULL);

CREATE TABLE lineitem (
    l_orderkey      bigint NOT NULL,
    l_partkey       integer NOT NULL,
    l_suppkey       integer NOT NULL,
    l_linenumber    integer NOT NULL,
    l_quantity      numeric(15,2) NOT NULL,
    l_extendedprice numeric(15,2) NOT NULL,
    l_discount      numeric(15,2) NOT NULL,
    l_tax           numeric(15,2) NOT NULL,
    l_returnflag    char(1) NOT NULL,
    l_linestatus    char(1) NOT NULL,
    l_shipdate      date NOT NULL,
    l_commitdate    date NOT NULL,
    l_receiptdate   date NOT NULL,
    l_shipinstruct  char(25) NOT NULL,
    l_shipmode      char(10) NOT NULL,
    l_comment       varchar(44) NOT NULL);

CREATE SCHEMA tpch;

-- How many rows were loaded, and the highest number that was ever given to a row (changes.sql adds rows).
CREATE TABLE tpch.scale AS
SELECT sf, (sf * 10000)::int AS suppliers, (sf * 200000)::int AS parts, (sf * 150000)::int AS customers,
       (sf * 1500000)::int AS orders, (sf * 10000)::int AS last_supplier, (sf * 200000)::int AS last_part,
       (sf * 150000)::int AS last_customer, (sf * 1500000)::int AS last_order
FROM (SELECT :sf::numeric AS sf) s;

-- A number between low and high that depends on key and salt only. The functions are of the kind that the planner
-- inlines: loading is limited by writing rows.
CREATE FUNCTION tpch.uniform(key bigint, salt bigint, low int, high int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT low + ((hashint8extended(key, salt) & 9223372036854775807) % (high - low + 1))::int
$$;

CREATE FUNCTION tpch.adjective(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['furious','sly','careful','blithe','quick','fluffy','slow','quiet','ruthless','thin','close',
                  'dogged','daring','brave','stealthy','permanent','enticing','idle','busy','regular','final',
                  'ironic','even','bold','silent'])[tpch.uniform(key, salt, 1, 25)]
$$;

CREATE FUNCTION tpch.noun(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['foxes','ideas','theodolites','pinto beans','instructions','dependencies','excuses','platelets',
                  'asymptotes','courts','dolphins','multipliers','sauternes','warthogs','frets','dinos','packages',
                  'accounts','deposits','requests','patterns','forges','braids','pearls','tithes','waters','orbits',
                  'gifts','sheaves','depths','realms','pains'])[tpch.uniform(key, salt, 1, 32)]
$$;

CREATE FUNCTION tpch.verb(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['sleep','wake','are','cajole','haggle','nag','use','boost','affix','detect','integrate','maintain',
                  'nod','was','lose','sublate','solve','thrash','promise','engage','hinder','print','doze','run',
                  'dazzle','snooze'])[tpch.uniform(key, salt, 1, 26)]
$$;

CREATE FUNCTION tpch.comment(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT tpch.adjective(key, salt) || ' ' || tpch.noun(key, salt + 1) || ' ' || tpch.verb(key, salt + 2) || ' ' ||
           tpch.adjective(key, salt + 3) || ' ' || tpch.noun(key, salt + 4)
$$;

CREATE FUNCTION tpch.address(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(md5((key * 1000 + salt)::text), tpch.uniform(key, salt, 10, 32))
$$;

-- The country code is the nation's key + 10.
CREATE FUNCTION tpch.phone(nation int, key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (nation + 10)::text || '-' || tpch.uniform(key, salt, 100, 999)::text || '-' ||
           tpch.uniform(key, salt + 1, 100, 999)::text || '-' || tpch.uniform(key, salt + 2, 1000, 9999)::text
$$;

CREATE FUNCTION tpch.brand(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 'Brand#' || tpch.uniform(key, salt, 1, 5)::text || tpch.uniform(key, salt + 1, 1, 5)::text
$$;

CREATE FUNCTION tpch.part_type(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['STANDARD','SMALL','MEDIUM','LARGE','ECONOMY','PROMO'])[tpch.uniform(key, salt, 1, 6)] || ' ' ||
           (ARRAY['ANODIZED','BURNISHED','PLATED','POLISHED','BRUSHED'])[tpch.uniform(key, salt + 1, 1, 5)] || ' ' ||
           (ARRAY['TIN','NICKEL','BRASS','STEEL','COPPER'])[tpch.uniform(key, salt + 2, 1, 5)]
$$;

CREATE FUNCTION tpch.container(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['SM','LG','MED','JUMBO','WRAP'])[tpch.uniform(key, salt, 1, 5)] || ' ' ||
           (ARRAY['CASE','BOX','BAG','JAR','PKG','PACK','CAN','DRUM'])[tpch.uniform(key, salt + 1, 1, 8)]
$$;

CREATE FUNCTION tpch.colour(number int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['almond','antique','aquamarine','azure','beige','bisque','black','blanched','blue','blush','brown',
                  'burlywood','burnished','chartreuse','chiffon','chocolate','coral','cornflower','cornsilk','cream',
                  'cyan','dark','deep','dim','dodger','drab','firebrick','floral','forest','frosted','gainsboro',
                  'ghost','goldenrod','green','grey','honeydew','hot','indian','ivory','khaki','lace','lavender',
                  'lawn','lemon','light','lime','linen','magenta','maroon','medium','metallic','midnight','mint',
                  'misty','moccasin','navajo','navy','olive','orange','orchid','pale','papaya','peach','peru','pink',
                  'plum','powder','puff','purple','red','rose','rosy','royal','saddle','salmon','sandy','seashell',
                  'sienna','sky','slate','smoke','snow','spring','steel','tan','thistle','tomato','turquoise','violet',
                  'wheat','white','yellow'])[1 + number % 92]
$$;

-- Five different colours: steps of at most 18 cannot come round to the first of 92.
CREATE FUNCTION tpch.part_name(key bigint, salt bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT tpch.colour(f) || ' ' || tpch.colour(f + d) || ' ' || tpch.colour(f + 2 * d) || ' ' ||
           tpch.colour(f + 3 * d) || ' ' || tpch.colour(f + 4 * d)
    FROM (SELECT tpch.uniform(key, salt, 0, 91) AS f, tpch.uniform(key, salt + 1, 1, 18) AS d) x
$$;

CREATE FUNCTION tpch.retail_price(part int) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (90000 + (part / 10) % 20001 + 100 * (part % 1000))::numeric / 100
$$;

-- The part's supplier number 0 to 3. The specification's formula, with a step that stays below a third of the
-- suppliers, so that the four differ at every scale; from SF 0.024 on it is the specification's.
CREATE FUNCTION tpch.supplier_of(part int, number int, suppliers int) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (part + number * (suppliers / 4 + ((part - 1) / suppliers) % (suppliers / 12))) % suppliers + 1
$$;

-- Keys of orders are sparse: 8 of 32 are loaded, the next 8 are for new orders, the others for keys that change.
CREATE FUNCTION tpch.order_key(number int, loaded int) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN number <= loaded THEN (number - 1)::bigint / 8 * 32 + (number - 1) % 8 + 1
                ELSE (number - loaded - 1)::bigint / 8 * 32 + (number - loaded - 1) % 8 + 9 END
$$;

CREATE FUNCTION tpch.order_date(order_key bigint) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT date '1992-01-01' + tpch.uniform(order_key, 301, 0, 2405)
$$;

-- The 1 to 7 lines of an order. OFFSET 0 keeps what several columns need from being computed for each of them.
CREATE FUNCTION tpch.lines_of(order_key bigint, parts int, suppliers int) RETURNS SETOF lineitem
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 4 AS $$
    SELECT order_key, part, tpch.supplier_of(part, tpch.uniform(key, 401, 0, 3), suppliers), line, quantity::numeric,
           quantity * tpch.retail_price(part), tpch.uniform(key, 402, 0, 10)::numeric / 100,
           tpch.uniform(key, 403, 0, 8)::numeric / 100,
           (CASE WHEN shipped + transit > date '1995-06-17' THEN 'N' WHEN tpch.uniform(key, 404, 0, 1) = 0 THEN 'R'
                 ELSE 'A' END)::char(1),
           (CASE WHEN shipped > date '1995-06-17' THEN 'O' ELSE 'F' END)::char(1),
           shipped, ordered + tpch.uniform(key, 405, 30, 90), shipped + transit,
           (ARRAY['DELIVER IN PERSON','COLLECT COD','NONE','TAKE BACK RETURN'])[tpch.uniform(key, 406, 1, 4)]::char(25),
           (ARRAY['REG AIR','AIR','RAIL','SHIP','TRUCK','MAIL','FOB'])[tpch.uniform(key, 407, 1, 7)]::char(10),
           (tpch.adjective(key, 408) || ' ' || tpch.noun(key, 409) || ' ' || tpch.verb(key, 410))::varchar(44)
    FROM (SELECT line, order_key * 8 + line AS key, tpch.order_date(order_key) AS ordered,
                 tpch.order_date(order_key) + tpch.uniform(order_key * 8 + line, 411, 1, 121) AS shipped,
                 tpch.uniform(order_key * 8 + line, 412, 1, 30) AS transit,
                 tpch.uniform(order_key * 8 + line, 413, 1, 50) AS quantity,
                 tpch.uniform(order_key * 8 + line, 414, 1, parts) AS part
          FROM generate_series(1, tpch.uniform(order_key, 302, 1, 7)) line OFFSET 0) l
$$;

-- The order that goes with its lines: status and price come from them. A third of the customers never orders; one
-- comment in a hundred speaks of special requests.
CREATE FUNCTION tpch.order_of(order_key bigint, customers int, clerks int, finished boolean, pending boolean,
                              price numeric) RETURNS SETOF orders
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT order_key, tpch.uniform(order_key, 303, 0, customers / 3 - 1) * 3 + tpch.uniform(order_key, 304, 1, 2),
           (CASE WHEN finished THEN 'F' WHEN pending THEN 'O' ELSE 'P' END)::char(1), price::numeric(15,2),
           tpch.order_date(order_key),
           (ARRAY['1-URGENT','2-HIGH','3-MEDIUM','4-NOT SPECIFIED','5-LOW'])[tpch.uniform(order_key, 305, 1, 5)]::char(15),
           ('Clerk#' || lpad(tpch.uniform(order_key, 306, 1, clerks)::text, 9, '0'))::char(15), 0,
           (CASE WHEN tpch.uniform(order_key, 307, 0, 99) = 0
                 THEN tpch.noun(order_key, 308) || ' special ' || tpch.noun(order_key, 309) || ' requests '
                 ELSE tpch.adjective(order_key, 308) || ' ' || tpch.noun(order_key, 309) || ' ' END
            || tpch.verb(order_key, 310) || ' ' || tpch.adjective(order_key, 311))::varchar(79)
$$;

CREATE FUNCTION tpch.part_of(key int) RETURNS SETOF part LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT key, tpch.part_name(key, 201)::varchar(55), ('Manufacturer#' || tpch.uniform(key, 203, 1, 5)::text)::char(25),
           tpch.brand(key, 203)::char(10), tpch.part_type(key, 205)::varchar(25), tpch.uniform(key, 208, 1, 50),
           tpch.container(key, 209)::char(10), tpch.retail_price(key)::numeric(15,2),
           (tpch.adjective(key, 211) || ' ' || tpch.verb(key, 212))::varchar(23)
$$;

CREATE FUNCTION tpch.partsupps_of(part int, suppliers int) RETURNS SETOF partsupp
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 4 AS $$
    SELECT part, tpch.supplier_of(part, number, suppliers), tpch.uniform(part * 4 + number, 251, 1, 9999),
           (tpch.uniform(part * 4 + number, 252, 100, 100000)::numeric / 100)::numeric(15,2),
           (tpch.comment(part * 4 + number, 253) || ', ' || tpch.comment(part * 4 + number, 258))::varchar(199)
    FROM generate_series(0, 3) number
$$;

-- Nations get the same number of suppliers, so that small scales have some everywhere.
CREATE FUNCTION tpch.supplier_row(key int) RETURNS SETOF supplier LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT key, ('Supplier#' || lpad(key::text, 9, '0'))::char(25), tpch.address(key, 101)::varchar(40), nation,
           tpch.phone(nation, key, 102)::char(15), (tpch.uniform(key, 105, -99999, 999999)::numeric / 100)::numeric(15,2),
           (CASE key % 2000 WHEN 7 THEN 'Customer ' || tpch.adjective(key, 106) || ' Complaints '
                            WHEN 13 THEN 'Customer ' || tpch.adjective(key, 106) || ' Recommends ' ELSE '' END
            || tpch.comment(key, 107))::varchar(101)
    FROM (SELECT (key * 7 + key / 25) % 25 AS nation) n
$$;

CREATE FUNCTION tpch.customer_row(key int) RETURNS SETOF customer LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 1 AS $$
    SELECT key, ('Customer#' || lpad(key::text, 9, '0'))::varchar(25), tpch.address(key, 151)::varchar(40), nation,
           tpch.phone(nation, key, 152)::char(15), (tpch.uniform(key, 155, -99999, 999999)::numeric / 100)::numeric(15,2),
           (ARRAY['AUTOMOBILE','BUILDING','FURNITURE','MACHINERY','HOUSEHOLD'])[tpch.uniform(key, 156, 1, 5)]::char(10),
           (tpch.comment(key, 157) || ', ' || tpch.comment(key, 162))::varchar(117)
    FROM (SELECT tpch.uniform(key, 167, 0, 24) AS nation) n
$$;

INSERT INTO region
SELECT number - 1, name, tpch.comment(number, 1)
FROM unnest(ARRAY['AFRICA','AMERICA','ASIA','EUROPE','MIDDLE EAST']) WITH ORDINALITY AS r(name, number);

INSERT INTO nation
SELECT number - 1, name, region, tpch.comment(number, 2)
FROM ROWS FROM (
    unnest(ARRAY['ALGERIA','ARGENTINA','BRAZIL','CANADA','EGYPT','ETHIOPIA','FRANCE','GERMANY','INDIA','INDONESIA','IRAN',
                 'IRAQ','JAPAN','JORDAN','KENYA','MOROCCO','MOZAMBIQUE','PERU','CHINA','ROMANIA','SAUDI ARABIA',
                 'VIETNAM','RUSSIA','UNITED KINGDOM','UNITED STATES']),
    unnest(ARRAY[0,1,1,1,4,0,3,3,2,2,4,4,2,4,0,0,0,1,2,3,4,2,3,3,1])) WITH ORDINALITY AS n(name, region, number);

INSERT INTO supplier SELECT r.* FROM tpch.scale, generate_series(1, suppliers) i, tpch.supplier_row(i) r;
INSERT INTO part SELECT r.* FROM tpch.scale, generate_series(1, parts) i, tpch.part_of(i) r;
INSERT INTO partsupp SELECT r.* FROM tpch.scale, generate_series(1, parts) i, tpch.partsupps_of(i, suppliers) r;
INSERT INTO customer SELECT r.* FROM tpch.scale, generate_series(1, customers) i, tpch.customer_row(i) r;
INSERT INTO lineitem
SELECT r.* FROM tpch.scale, generate_series(1, orders) i, tpch.lines_of(tpch.order_key(i, orders), parts, suppliers) r;

INSERT INTO orders
SELECT r.*
FROM tpch.scale s,
     (SELECT l_orderkey, bool_and(l_linestatus = 'F') AS finished, bool_and(l_linestatus = 'O') AS pending,
             sum(l_extendedprice * (1 + l_tax) * (1 - l_discount)) AS price
      FROM lineitem GROUP BY l_orderkey) l,
     tpch.order_of(l.l_orderkey, s.customers, greatest(1, (s.sf * 1000)::int), l.finished, l.pending, l.price) r;

ALTER TABLE region ADD PRIMARY KEY (r_regionkey);
ALTER TABLE nation ADD PRIMARY KEY (n_nationkey);
ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey);
ALTER TABLE part ADD PRIMARY KEY (p_partkey);
ALTER TABLE partsupp ADD PRIMARY KEY (ps_partkey, ps_suppkey);
ALTER TABLE customer ADD PRIMARY KEY (c_custkey);
ALTER TABLE orders ADD PRIMARY KEY (o_orderkey);
ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber);

CREATE INDEX ON nation (n_regionkey);
CREATE INDEX ON supplier (s_nationkey);
CREATE INDEX ON partsupp (ps_suppkey);
CREATE INDEX ON customer (c_nationkey);
CREATE INDEX ON orders (o_custkey);
CREATE INDEX ON lineitem (l_partkey);
CREATE INDEX ON lineitem (l_suppkey);
CREATE INDEX ON lineitem (l_partkey, l_suppkey);

ANALYZE region, nation, supplier, part, partsupp, customer, orders, lineitem;
