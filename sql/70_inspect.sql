-- Looking at stream tables.

CREATE FUNCTION pgtrickle.version() RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$ SELECT '0.1.0' $$;
GRANT EXECUTE ON FUNCTION pgtrickle.version TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.version() IS 'Version of the SQL part of pgtrickle.';

-- Do triggers keep the stream table equal to its query, so that it has no frontier?
CREATE FUNCTION pgtrickle._is_kept(id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s JOIN pgtrickle.pgt_immediate i USING (pgt_id)
                   WHERE s.pgt_id = id AND s.effective_refresh_mode = 'IMMEDIATE' AND NOT s.needs_reinit
                     AND NOT EXISTS (SELECT FROM pgtrickle.pgt_immediate_stopped x WHERE x.pgt_id = id))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._is_kept TO PUBLIC;

-- Is every source of the stream table captured, and every captured change consumed? Then it equals its query now. Or do
-- triggers keep it so?
CREATE FUNCTION pgtrickle._is_fresh(id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f       pgtrickle.pgt_frontiers;
    source  record;
    pending boolean;
BEGIN
    SELECT * INTO f FROM pgtrickle.pgt_frontiers x WHERE x.pgt_id = id;
    IF f.snapshot IS NULL THEN
        RETURN pgtrickle._is_kept(id);
    END IF;
    -- Rows come and go as time passes: none has, as far as the program can tell beforehand.
    IF (SELECT t.follows_time FROM pgtrickle.pgt_stream_tables t WHERE t.pgt_id = id)
        AND (pgtrickle._now() >= f.clock AND pgtrickle._now() < f.next_crossing) IS NOT TRUE THEN
        RETURN false;
    END IF;
    FOR source IN SELECT d.source_id FROM pgtrickle.pgt_dependencies d
        WHERE d.pgt_id = id AND d.source_type <> 'VIEW' LOOP
        IF source.source_id IS NULL THEN
            RETURN false;
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM pgtrickle_changes.log_%s AS l WHERE '
                       'pgtrickle._is_pending(l.xid, l.seq, $1, pg_snapshot_xmin($1), pg_snapshot_xmax($1), $2, $3))',
                           source.source_id)
            INTO pending USING f.snapshot, f.xid, f.seq;
        IF pending THEN
            RETURN false;
        END IF;
    END LOOP;
    RETURN true;
EXCEPTION WHEN undefined_table THEN     -- the log was recreated while we looked
    RETURN false;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._is_fresh TO PUBLIC;

-- Whether it is recomputed although nobody said how often, as far as its own row tells: what reads it may say it. Then
-- its own cost decides (daemon/planner/backoff.h).
CREATE FUNCTION pgtrickle._is_throttled(refresh_mode text, effective_refresh_mode text, schedule text,
                                        max_staleness interval) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(refresh_mode = 'AUTO' AND effective_refresh_mode = 'FULL'
                    AND pgtrickle._schedule_kind(schedule) = 'calculated' AND max_staleness IS NULL, false)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._is_throttled TO PUBLIC;

-- The same for people; NULL if it is not.
CREATE FUNCTION pgtrickle._throttle(refresh_mode text, effective_refresh_mode text, schedule text,
                                    max_staleness interval) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('without a schedule, its own or of what reads it, it is recomputed at most %s %% of the time',
                  100 / pgtrickle._throttle_share())
    WHERE pgtrickle._is_throttled(refresh_mode, effective_refresh_mode, schedule, max_staleness)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._throttle TO PUBLIC;

CREATE VIEW pgtrickle.stream_tables AS
SELECT pg_catalog.format('%I.%I', l.schema, l.table_name) AS name,
       l.schema,
       l.table_name,
       l.owner,
       s.status,
       s.refresh_mode,
       s.effective_refresh_mode,
       nullif(pg_catalog.concat_ws('; ', s.reason, pgtrickle._throttle(s.refresh_mode, s.effective_refresh_mode,
                                                                       s.schedule, s.max_staleness)), '') AS reason,
       s.schedule,
       CASE WHEN f.data_timestamp IS NULL THEN NULL WHEN pgtrickle._is_fresh(s.pgt_id) THEN interval '0'
            ELSE pg_catalog.clock_timestamp() - f.data_timestamp END AS staleness,
       r.last_refresh_at,
       f.last_action,
       r.last_duration_ms,
       r.rows,
       r.total_refreshes,
       r.total_differential,
       r.total_full,
       s.is_populated,
       s.needs_reinit,
       s.reinit_reason,
       s.consecutive_errors,
       coalesce(s.last_error, 'the altered query could not be built, the previous one goes on: '
                || (s.failed_alteration ->> 'message')) AS last_error,
       CASE WHEN s.last_error IS NULL THEN nullif(s.failed_alteration ->> 'hint', '')
            ELSE s.last_error_hint END AS last_error_hint,
       CASE WHEN s.last_error IS NULL THEN (s.failed_alteration ->> 'at')::timestamptz
            ELSE s.last_error_at END AS last_error_at,
       f.data_timestamp,
       s.created_at,
       CASE WHEN pgtrickle._is_renamed(s.names, s.names_now) THEN s.defining_query ELSE s.original_query END AS query,
       s.pgt_id,
       s.tier,
       s.max_staleness,
       CASE WHEN s.max_staleness IS NOT NULL AND f.data_timestamp IS NOT NULL THEN
            s.max_staleness < pg_catalog.clock_timestamp() - f.data_timestamp
                AND NOT pgtrickle._is_fresh(s.pgt_id) END AS slo_violated,
       s.fuse,
       s.fuse_blown_at,
       pgtrickle._hold_reason(s.pgt_id) AS held,
       s.skipped_at,
       s.allow_circular,
       CASE WHEN s.allow_circular THEN (pgtrickle._cycle_of(s.pgt_id))[1] END AS scc_id,
       s.retry_at
FROM pgtrickle._stream_tables s
LEFT JOIN pgtrickle.pgt_frontiers f USING (pgt_id)
LEFT JOIN pgtrickle._refresh_stats r USING (pgt_id)
LEFT JOIN pg_catalog.pg_class c ON c.oid = s.pgt_relid
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT coalesce(n.nspname, s.pgt_schema) AS schema, coalesce(c.relname, s.pgt_name) AS table_name,
                           pg_catalog.pg_get_userbyid(c.relowner) AS owner) AS l;
COMMENT ON VIEW pgtrickle.stream_tables IS
'One row per stream table, under its present name. staleness: 0 if all changes of the sources are in it, otherwise the
  time since the snapshot that it shows; NULL: not initialised.
query: as it was written; once something that it names was renamed, as it reads now. slo_violated: staleness is above
  max_staleness (NULL: none promised). held: why it waits although there may be changes (a gated source, a watermark).
  skipped_at: changes were skipped then, so it does not equal its query. retry_at:
  when the daemon tries again what is in error or suspended. scc_id: the smallest pgt_id of the cycle that it is part
  of.';
GRANT SELECT ON pgtrickle.stream_tables TO PUBLIC;

CREATE FUNCTION pgtrickle.pgt_status()
RETURNS TABLE (name text, status text, refresh_mode text, is_populated boolean, consecutive_errors int, schedule text,
               data_timestamp timestamptz,
               staleness interval, scc_id int, tier text, max_staleness interval, slo_violated boolean, fuse text,
                   fuse_blown_at timestamptz, held text,
               skipped_at timestamptz, allow_circular boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name, s.status, s.refresh_mode, s.is_populated, s.consecutive_errors, s.schedule, s.data_timestamp,
           s.staleness, s.scc_id::int,
           s.tier, s.max_staleness, s.slo_violated, s.fuse, s.fuse_blown_at, s.held, s.skipped_at, s.allow_circular
    FROM pgtrickle.stream_tables s ORDER BY s.name
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.pgt_status TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.pgt_status() IS 'Short status of every stream table. Columns as in stream_tables.';

-- Who reads a stream table, as far as catalogs say: other stream tables, and views.
CREATE FUNCTION pgtrickle._read_by(st pgtrickle.pgt_stream_tables, OUT kind int, OUT reader text) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 1, format('%s  stream table', pgtrickle._qualified(s.pgt_relid))
    FROM pgtrickle.pgt_dependencies d JOIN pgtrickle._stream_tables s USING (pgt_id)
    WHERE d.source_relid = st.pgt_relid AND d.pgt_id <> st.pgt_id
    UNION
    SELECT 2, format('%s  %s', pgtrickle._qualified(c.oid),
                     CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END)
    FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class c ON c.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = st.pgt_relid
      AND c.relkind IN ('v', 'm')
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._read_by TO PUBLIC;

-- Sessions that hold a lock which only a refresh, a build or DDL takes on the stream table: who, for how long, and what
-- they wait for. NULL if there are none. What others run is shown to roles that may see it in pg_stat_activity.
CREATE FUNCTION pgtrickle._at_work_on(st pgtrickle.pgt_stream_tables) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('pid %s (%s), for %s s: %s%s', a.pid,
                             coalesce(nullif(a.application_name, ''), a.backend_type, 'unknown'),
                             round(extract(epoch FROM clock_timestamp() - a.xact_start)::numeric, 1),
                             CASE l.writes WHEN true THEN 'writes to it' ELSE 'waits for it' END,
                             coalesce(', blocked by pid ' || nullif(array_to_string(pg_blocking_pids(a.pid), ', '), ''),
                                      '')), E'\n              ' ORDER BY a.pid)
    FROM (SELECT k.pid, bool_or(k.granted) AS writes FROM pg_locks k
          WHERE k.locktype = 'relation' AND k.relation = st.pgt_relid
            AND k.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            AND k.mode NOT IN ('AccessShareLock', 'RowShareLock') AND k.pid <> pg_backend_pid() GROUP BY k.pid) AS l
    JOIN pg_stat_activity a ON a.pid = l.pid
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._at_work_on TO PUBLIC;

-- with_program: also the functions that refresh it.
CREATE FUNCTION pgtrickle._explain_stream_table(name text, caller_path text, with_program boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    st     pgtrickle.pgt_stream_tables := pgtrickle._find(name, caller_path);
    own    boolean := pgtrickle._may_manage(st.pgt_relid);
    f      record;
    result text;
    part   text;
BEGIN
    SELECT * INTO f FROM pgtrickle.pgt_frontiers x JOIN pgtrickle._refresh_stats r USING (pgt_id)
    WHERE x.pgt_id = st.pgt_id;
    result := concat_ws(E'\n',
        format('stream table  %s', pgtrickle._qualified(st.pgt_relid)),
        format('status        %s', st.status),
        format('mode          %s, effective %s%s', st.refresh_mode,
               coalesce(st.effective_refresh_mode, '(not compiled yet)'), coalesce(': ' || st.reason, '')),
        format('schedule      %s%s%s', st.schedule,
               ': ' || pgtrickle._throttle(st.refresh_mode, st.effective_refresh_mode, st.schedule, st.max_staleness)
               || coalesce(format(', about every %s s',
                                  ceil(f.last_duration_ms / 1000 * pgtrickle._throttle_share())), ''),
               CASE WHEN st.tier <> 'hot' THEN ', tier ' || st.tier ELSE '' END),
        CASE WHEN st.max_staleness IS NOT NULL THEN format('promised      at most %s old', st.max_staleness) END,
        CASE WHEN st.fuse <> 'off' THEN format('fuse          %s, %s%s', st.fuse,
                                               coalesce(format('more than %s pending rows blow it', st.fuse_limit),
                                                        'nothing learned yet'),
                                               coalesce(format('; blown %s: %s', st.fuse_blown_at,
                                                               coalesce(st.fuse_blow_reason, 'unknown reason')),
                                                                   '')) END,
        'held          ' || pgtrickle._hold_reason(st.pgt_id),
        CASE WHEN st.skipped_at IS NOT NULL
             THEN format('skipped       changes were skipped %s: it does not equal its query until it is '
                         're-initialised', st.skipped_at) END,
        'cycle         '
            || CASE WHEN st.allow_circular THEN array_to_string(pgtrickle._cycle_path(st.pgt_id), ' -> ') END,
        CASE WHEN st.needs_reinit THEN format('to be rebuilt %s', coalesce(st.reinit_reason, 'unknown reason')) END,
        CASE WHEN st.needs_reinit OR st.status IN ('PENDING', 'INITIALIZING') THEN 'in its way    '
             || pgtrickle._build_blockers(ARRAY[st.pgt_id]) END,
        CASE WHEN st.status IN ('ERROR', 'SUSPENDED')
             AND st.retry_at IS NOT NULL THEN format('tried again   %s', date_trunc('second', st.retry_at)) END,
        CASE WHEN st.last_error IS NOT NULL THEN format('last error    %s (SQLSTATE %s, %s)%s', st.last_error,
                                                        st.last_error_code, st.last_error_at,
                                                        coalesce(E'\nhint          ' || st.last_error_hint, '')) END,
        CASE WHEN st.failed_alteration IS NOT NULL THEN format(E'not altered   %s (SQLSTATE %s, %s)\nhint          %s',
                                                               st.failed_alteration ->> 'message',
                 st.failed_alteration ->> 'code', st.failed_alteration ->> 'at',
                     coalesce(st.failed_alteration ->> 'hint', '')) END,
        CASE WHEN f.last_action IS NOT NULL THEN format('last refresh  %s, %s, %s ms', f.last_refresh_at,
                                                            f.last_action, round(f.last_duration_ms::numeric, 3)) END,
        'now           ' || pgtrickle._at_work_on(st),
        '', 'query', coalesce(st.defining_query, '  (shown to its owner)'), '', 'sources');
    SELECT string_agg(format('  %s  %s, %s%s', pgtrickle._qualified(d.source_relid),
                             lower(replace(d.source_type, '_', ' ')),
                             CASE WHEN d.source_id IS NOT NULL
                                  THEN format('captured in pgtrickle_changes.log_%s', d.source_id)
                                  WHEN d.source_type = 'VIEW' THEN 'inlined' ELSE 'not captured' END,
                             CASE WHEN d.column_names <> '{}' THEN '; columns '
                                  || array_to_string(d.column_names, ', ') ELSE '' END),
                      E'\n' ORDER BY d.source_schema, d.source_name) INTO part
    FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = st.pgt_id;
    result := concat_ws(E'\n', result, coalesce(part, '  (none)'));
    SELECT string_agg(format('  %s %s%s', x.object_type, x.identity,
                             CASE x.used_by WHEN 'body' THEN ' (named in the body of a function)' ELSE '' END),
                      E'\n' ORDER BY x.object_type, x.identity) INTO part
    FROM pgtrickle.pgt_facts x WHERE x.pgt_id = st.pgt_id AND x.kind = 'definition';
    result := concat_ws(E'\n', result, E'\nalso depends on\n' || part);
    SELECT string_agg('  ' || r.reader, E'\n' ORDER BY r.kind, r.reader) INTO part FROM pgtrickle._read_by(st) AS r;
    result := concat_ws(E'\n', result, '', 'read by', coalesce(part, '  (nothing that the catalogs know of)'), '',
                        'plan', CASE WHEN NOT own THEN '  (shown to its owner)'
                                     ELSE coalesce(st.plan, '  (not compiled yet)') END);
    IF NOT with_program OR NOT own THEN
        RETURN result;
    END IF;
    SELECT string_agg(pg_get_functiondef(p.oid), E'\n' ORDER BY p.proname) INTO part
    FROM pg_proc p WHERE p.pronamespace = 'pgtrickle_state'::regnamespace
     AND p.proname ~ format('^((apply|look|refresh|enter|settle|maintain(_many)?)_%1$s|(groups|changed)_%1$s_[0-9]+)$',
                            st.pgt_id);
    RETURN concat_ws(E'\n', result, '', 'program', coalesce(part, '  (none yet)'));
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._explain_stream_table TO PUBLIC;

CREATE FUNCTION pgtrickle.explain_stream_table(name text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN pgtrickle._explain_stream_table(name, pg_catalog.current_setting('search_path'), true);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.explain_stream_table TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.explain_stream_table(text) IS
'Everything about one stream table as text: status, mode and why, what works on it now, query, sources, who reads it,
  plan, and the source of the functions that refresh it. Error: 42P01.';

CREATE FUNCTION pgtrickle._refresh_history(id bigint, max_rows int)
RETURNS TABLE (refresh_id bigint, data_timestamp timestamptz, start_time timestamptz, end_time timestamptz,
               action text, status text,
               rows_inserted bigint, rows_deleted bigint, duration_ms double precision, error_message text,
                   rows_updated bigint, delta_rows bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.refresh_id, h.data_timestamp, h.start_time, h.end_time, h.action, h.status, h.rows_inserted,
           h.rows_deleted, h.duration_ms,
           h.error_message, h.rows_updated, h.delta_rows
    FROM pgtrickle._refresh_history h WHERE h.pgt_id = id ORDER BY h.refresh_id DESC LIMIT greatest(max_rows, 0)
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._refresh_history TO PUBLIC;

CREATE FUNCTION pgtrickle.get_refresh_history(name text, max_rows int DEFAULT 20)
RETURNS TABLE (refresh_id bigint, data_timestamp timestamptz, start_time timestamptz, end_time timestamptz,
               action text, status text,
               rows_inserted bigint, rows_deleted bigint, duration_ms double precision, error_message text,
                   rows_updated bigint, delta_rows bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY SELECT h.* FROM pgtrickle._find(name, pg_catalog.current_setting('search_path')) AS s
                 CROSS JOIN LATERAL pgtrickle._refresh_history(s.pgt_id, max_rows) AS h;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.get_refresh_history TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.get_refresh_history(text, int) IS 'The last refreshes of a stream table that did
  something or failed, newest first, at most max_rows. Error: 42P01.';

CREATE FUNCTION pgtrickle.dependency_tree()
RETURNS TABLE (tree_line text, node text, node_type text, depth int, status text, refresh_mode text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tables(pgt_id, relid, members) AS MATERIALIZED (      -- members: of its cycle, or itself
        SELECT s.pgt_id, s.pgt_relid,
               coalesce(CASE WHEN s.allow_circular THEN pgtrickle._cycle_of(s.pgt_id) END, ARRAY[s.pgt_id])
        FROM pgtrickle._stream_tables s),
    tree(relid, name, type, depth, path, seen, again) AS (
        SELECT t.relid, pgtrickle._qualified(t.relid), 'STREAM_TABLE', 0, ARRAY[pgtrickle._qualified(t.relid)],
               ARRAY[t.relid], false
        FROM tables t
        WHERE t.pgt_id = t.members[1]
          AND NOT EXISTS (SELECT FROM tables m JOIN pgtrickle.pgt_dependencies d ON d.source_relid = m.relid
                          WHERE m.pgt_id = ANY (t.members) AND NOT d.pgt_id = ANY (t.members))
        UNION ALL
        SELECT d.source_relid, x.name, d.source_type, t.depth + 1, t.path || x.name, t.seen || d.source_relid,
               d.source_relid = ANY (t.seen)
        FROM tree t JOIN pgtrickle._stream_tables s ON s.pgt_relid = t.relid
        JOIN pgtrickle.pgt_dependencies d ON d.pgt_id = s.pgt_id
        CROSS JOIN LATERAL (SELECT coalesce((SELECT pgtrickle._qualified(c.oid) FROM pg_class c
                                             WHERE c.oid = d.source_relid),
                                             format('%I.%I', d.source_schema, d.source_name)) COLLATE "default" AS
                                                 name) AS x
        WHERE NOT t.again),
    -- Breadth first. Where many read many, there are more ways than anybody can read, or a server can count.
    shown AS MATERIALIZED (SELECT t.* FROM tree t LIMIT 10000)
    SELECT l.line, l.name, l.type, l.depth, l.status, l.refresh_mode
    FROM (SELECT t.path, repeat('    ', greatest(t.depth - 1, 0))
          || CASE WHEN t.depth > 0 THEN '+-- ' ELSE '' END || t.name
                         || CASE WHEN t.type = 'STREAM_TABLE' THEN coalesce(' (' || s.status || ')', '')
                                 ELSE ' [' || lower(replace(t.type, '_', ' ')) || ']' END
                         || CASE WHEN t.again THEN ' again: a cycle' ELSE '' END AS line,
                 t.name, t.type, t.depth, s.status, s.refresh_mode
          FROM shown t LEFT JOIN pgtrickle._stream_tables s ON s.pgt_relid = t.relid
          UNION ALL
          SELECT NULL, '... only 10,000 lines are shown', NULL, NULL, NULL, NULL, NULL
          FROM (SELECT count(*) AS n FROM shown) AS c WHERE c.n = 10000) AS l
    ORDER BY l.path NULLS LAST
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.dependency_tree TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.dependency_tree() IS
'Which stream table reads what, as an indented tree: first the ones that no other stream table reads, below each what it
  reads. What several read appears several
times. A cycle that nothing else reads begins with its oldest member; where it closes, the tree ends. At most 10,000
  lines, the upper levels first.';

-- Of both tables of a change log. Asked by OID: its callers need not be let into the schema.
CREATE FUNCTION pgtrickle._log_bytes(source bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sum(pg_table_size(c.oid))::bigint FROM pg_class c
    WHERE c.relnamespace = 'pgtrickle_changes'::regnamespace
      AND c.relname IN (format('log_%s_a', source), format('log_%s_b', source))
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._log_bytes TO PUBLIC;

CREATE FUNCTION pgtrickle.change_buffer_sizes()
RETURNS TABLE (stream_table text, source_table text, source_oid bigint, cdc_mode text, pending_rows bigint,
               buffer_bytes bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._qualified(t.pgt_relid), pgtrickle._qualified(d.source_relid), d.source_relid::bigint, 'trigger',
           pgtrickle._pending(d.pgt_id, d.source_id),
           pgtrickle._log_bytes(d.source_id)
    FROM pgtrickle.pgt_dependencies d JOIN pgtrickle._stream_tables t USING (pgt_id)
    WHERE d.source_id IS NOT NULL ORDER BY 1, 2
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.change_buffer_sizes TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.change_buffer_sizes() IS
'Per stream table and captured source: rows of the change log that are still to be applied (NULL: not initialised),
  and the size of that log in bytes, which all its readers share.';

-- Why nothing is refreshed, NULL if a leader gives signs of life. A daemon that hangs, or whose connection died without
-- a word, leaves the lock of the leader to its session: nobody else can lead.
CREATE FUNCTION pgtrickle._leader_trouble() RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    holder record;
    last   record;
BEGIN
    IF EXISTS (SELECT FROM pgtrickle.pgt_daemons d
               WHERE d.is_leader AND d.heartbeat_at > clock_timestamp() - pgtrickle._heartbeat_expiry()) THEN
        RETURN NULL;
    END IF;
    SELECT l.pid, a.usename, a.application_name INTO holder
    FROM pgtrickle._lockers('leader') AS l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.mode = 'ExclusiveLock' AND l.granted;
    IF NOT FOUND THEN
        RETURN 'no daemon leads: nothing is refreshed';
    END IF;
    SELECT d.instance, d.host, d.heartbeat_at INTO last FROM pgtrickle.pgt_daemons d WHERE d.is_leader
    ORDER BY d.heartbeat_at DESC LIMIT 1;
    RETURN format('nothing is refreshed: session %s of role "%s" (%s) holds the lock of the leader, but %s; '
                  'SELECT pg_terminate_backend(%s) lets another daemon take over',
                  holder.pid, coalesce(holder.usename, '?'),
                      coalesce(nullif(holder.application_name, ''), 'no application name'),
                  CASE WHEN last.instance IS NULL THEN 'no daemon says that it leads'
                       ELSE format('the leader %s on %s is silent since %s', last.instance, last.host,
                                   to_char(last.heartbeat_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC')) END,
                  holder.pid);
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._leader_trouble TO PUBLIC;

-- IMMEDIATE stream tables that their triggers do not keep as they are, and why.
CREATE FUNCTION pgtrickle._immediate_trouble() RETURNS TABLE (name text, problem text, noticed boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pgtrickle._qualified(s.pgt_relid), x.problem, s.needs_reinit OR s.status <> 'ACTIVE'
    FROM pgtrickle._stream_tables s CROSS JOIN LATERAL pgtrickle._immediate_problem(s.pgt_id, s.pgt_relid) AS x(problem)
    WHERE s.effective_refresh_mode = 'IMMEDIATE' AND s.status <> 'INITIALIZING' AND x.problem IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION pgtrickle._immediate_trouble TO PUBLIC;

CREATE FUNCTION pgtrickle.health_check() RETURNS TABLE (check_name text, severity text, detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what text;
    n    bigint;
BEGIN
    SELECT string_agg(format('%s on %s, last heartbeat %s ago%s', d.instance, d.host,
                             date_trunc('second', clock_timestamp() - d.heartbeat_at),
                                 CASE WHEN d.is_leader THEN ', leader' ELSE '' END), '; ')
      INTO what FROM pgtrickle.pgt_daemons d WHERE d.heartbeat_at > clock_timestamp() - pgtrickle._heartbeat_expiry();
    RETURN QUERY SELECT 'daemon', CASE WHEN what IS NULL THEN 'ERROR' ELSE 'OK' END,
        coalesce(what, format('no daemon with a heartbeat in the last %s s: start pgtrickled',
                              extract(epoch FROM pgtrickle._heartbeat_expiry())::int));
    SELECT count(*) INTO n FROM pgtrickle.pgt_daemons d
    WHERE d.is_leader AND d.heartbeat_at > clock_timestamp() - pgtrickle._heartbeat_expiry();
    RETURN QUERY SELECT 'leader', CASE WHEN n = 1 THEN 'OK' WHEN n > 1 THEN 'WARN' ELSE 'ERROR' END,
                        CASE WHEN n = 1 THEN 'one daemon leads'
                             WHEN n > 1 THEN format('%s daemons say they lead (this passes after a failover)', n)
                                 ELSE coalesce(pgtrickle._leader_trouble(),
                                               'no daemon leads: nothing is refreshed') END;

    SELECT string_agg(format('%s: %s', s.name, coalesce(s.last_error, 'unknown error')), '; ' ORDER BY s.name) INTO what
    FROM pgtrickle.stream_tables s WHERE s.status IN ('ERROR', 'SUSPENDED');
    RETURN QUERY SELECT 'stream_table_errors', CASE WHEN what IS NULL THEN 'OK' ELSE 'ERROR' END,
        coalesce(what, 'none');
    SELECT string_agg(s.name, ', ' ORDER BY s.name) INTO what FROM pgtrickle.stream_tables s WHERE s.status = 'PAUSED';
    RETURN QUERY SELECT 'paused', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what || ' (they hold change logs back)', 'none');
    SELECT string_agg(format('%s: %s', s.name, CASE WHEN s.needs_reinit THEN coalesce(s.reinit_reason, 'to be rebuilt')
                                                    ELSE s.status END), '; ' ORDER BY s.name)
      INTO what FROM pgtrickle.stream_tables s WHERE s.status IN ('PENDING', 'INITIALIZING') OR s.needs_reinit;
    RETURN QUERY SELECT 'waiting_for_build', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END, coalesce(what, 'none');
    SELECT string_agg(format('%s by %s', s.name, date_trunc('second', s.staleness)), '; ' ORDER BY s.name) INTO what
    FROM pgtrickle.stream_tables s JOIN pgtrickle._stream_tables t USING (pgt_id)
    -- Not what is to wait. Cron has its own clock. Tiers stretch the schedule by what the daemon's configuration says,
    -- and what is throttled has a period of at most twice its share: be generous.
    WHERE s.status = 'ACTIVE' AND s.fuse_blown_at IS NULL AND s.tier <> 'frozen'
      AND pgtrickle._schedule_kind(s.schedule) <> 'cron'
      AND s.staleness > greatest(greatest(coalesce(make_interval(secs => t.schedule_ms / 1000.0),
                                                   pgtrickle._default_schedule()),
                                          CASE WHEN pgtrickle._is_throttled(s.refresh_mode, s.effective_refresh_mode,
                                                                            s.schedule, s.max_staleness)
                                               THEN make_interval(secs => s.last_duration_ms / 1000
                                                                          * pgtrickle._throttle_share() * 2) END)
                                 * CASE s.tier WHEN 'hot' THEN 5 WHEN 'warm' THEN 25 ELSE 100 END,
                                 pgtrickle._stale_at_least())
      AND s.held IS NULL;
    RETURN QUERY SELECT 'stale', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what || ' (a change may just be on its way: look again)', 'none');

    SELECT string_agg(format('%s is %s old, promised are %s', s.name, date_trunc('second', s.staleness),
                             s.max_staleness), '; ' ORDER BY s.name) INTO what
    FROM pgtrickle.stream_tables s WHERE s.slo_violated;
    RETURN QUERY SELECT 'slo', CASE WHEN what IS NULL THEN 'OK' ELSE 'ERROR' END,
        coalesce(what, 'no stream table is older than its max_staleness');
    SELECT string_agg(format('%s: %s', s.name, coalesce(t.fuse_blow_reason, 'unknown reason')),
                      '; ' ORDER BY s.name) INTO what
    FROM pgtrickle.stream_tables s JOIN pgtrickle._stream_tables t USING (pgt_id) WHERE s.fuse_blown_at IS NOT NULL;
    RETURN QUERY SELECT 'fuse_blown', CASE WHEN what IS NULL THEN 'OK' ELSE 'ERROR' END,
        coalesce(what || ' (not refreshed until reset_fuse())', 'none');
    SELECT string_agg(s.name, ', ' ORDER BY s.name) INTO what FROM pgtrickle.stream_tables s
    WHERE s.skipped_at IS NOT NULL;
    RETURN QUERY SELECT 'skipped_changes', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what || ' (they do not equal their queries until they are re-initialised)', 'none');
    SELECT string_agg(format('%s for %s',
                             CASE WHEN c.oid IS NULL THEN format('%I.%I', g.source_schema, g.source_name)
                                  ELSE pgtrickle._qualified(c.oid) END,
                             date_trunc('second', clock_timestamp() - g.gated_at)), '; '
                      ORDER BY g.gated_at) INTO what
    FROM pgtrickle.pgt_source_gates g LEFT JOIN pg_class c ON c.oid = g.source_relid WHERE g.gated;
    RETURN QUERY SELECT 'gated_sources', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what || ' (who reads them waits until ungate_source())', 'none');
    SELECT format('paused by %s %s ago%s', coalesce(c.paused_by::text, '?'),
                  date_trunc('second', clock_timestamp() - c.paused_at), coalesce(': ' || c.reason, '')) INTO what
    FROM pgtrickle.pgt_control c WHERE c.paused;
    RETURN QUERY SELECT 'daemon_paused', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what || ' (nothing is refreshed)', 'no');
    SELECT string_agg(format('%s: %s', (SELECT string_agg(pgtrickle._qualified(t.pgt_relid), ', ' ORDER BY t.pgt_id)
                                        FROM pgtrickle._stream_tables t WHERE t.pgt_id = ANY (c.members)),
                             c.last_error), '; ' ORDER BY c.scc_id) INTO what
    -- not of a cycle that is no more
    FROM pgtrickle._sccs c WHERE c.last_error IS NOT NULL AND c.members = pgtrickle._cycle_of(c.scc_id);
    RETURN QUERY SELECT 'cycles', CASE WHEN what IS NULL THEN 'OK' ELSE 'ERROR' END, coalesce(what, 'no cycle failed');

    SELECT string_agg(x.problem, '; ') INTO what
    FROM (SELECT coalesce(s.problem, pgtrickle._source_problem(s.source_id)) AS problem FROM pgtrickle.pgt_sources s
          ORDER BY s.source_id) AS x;
    RETURN QUERY SELECT 'capture', CASE WHEN what IS NULL THEN 'OK' ELSE 'ERROR' END,
        coalesce(what, 'triggers are present and enabled on every source');
    SELECT string_agg(format('%s: %s', t.name, t.problem), '; ' ORDER BY t.name), count(*) FILTER (WHERE NOT t.noticed)
      INTO what, n FROM pgtrickle._immediate_trouble() AS t;
    RETURN QUERY SELECT 'immediate', CASE WHEN what IS NULL THEN 'OK' WHEN n = 0 THEN 'WARN' ELSE 'ERROR' END,
        coalesce(what || CASE WHEN n = 0 THEN ' (they follow no changes until they are rebuilt)'
                              ELSE ' (the daemon looks every 30 s and rebuilds them)' END,
                 'triggers keep every IMMEDIATE stream table');
    RETURN QUERY SELECT 'event_triggers', CASE WHEN pgtrickle._has_event_triggers() THEN 'OK' ELSE 'WARN' END,
        CASE WHEN pgtrickle._has_event_triggers()
             THEN 'changes of sources, functions, types and policies are noticed at once'
             ELSE format('not installed or not enabled: DDL is noticed by the next refresh that has something to do, '
                         'otherwise when the daemon compares (every %s s, or %s %% of the time)',
                         extract(epoch FROM pgtrickle._facts_interval())::int, 100 / pgtrickle._facts_share()) END;
    SELECT string_agg(format('log of %s: %s', pgtrickle._qualified(x.relid), pg_size_pretty(x.bytes)),
                      '; ' ORDER BY x.bytes DESC) INTO what
    FROM (SELECT s.relid, pgtrickle._log_bytes(s.source_id) AS bytes FROM pgtrickle.pgt_sources s) AS x
    WHERE x.bytes > pgtrickle._large_log_bytes();
    RETURN QUERY SELECT 'change_logs', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what, 'none above ' || pg_size_pretty(pgtrickle._large_log_bytes()));

    -- Their rows become visible only when they end, and the log tables they wrote to cannot be emptied until then.
    SELECT string_agg(format('%s, prepared %s ago', quote_literal(p.gid),
                             date_trunc('second', clock_timestamp() - p.prepared)), '; ') INTO what
    FROM pg_prepared_xacts p WHERE p.database = current_database()
      AND p.prepared < clock_timestamp() - interval '5 min';
    RETURN QUERY SELECT 'prepared_transactions', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what, 'none older than 5 min');
    SELECT string_agg(format('pid %s, %s', a.pid, date_trunc('second', clock_timestamp() - a.xact_start)),
                      '; ') INTO what
    FROM pg_stat_activity a WHERE a.datname = current_database() AND a.backend_type = 'client backend'
      AND a.xact_start < clock_timestamp() - interval '1 hour';
    RETURN QUERY SELECT 'long_transactions', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what, 'none older than 1 hour');
    SELECT string_agg(l.what, '; ' ORDER BY l.what) INTO what FROM pgtrickle._leftovers() AS l;
    RETURN QUERY SELECT 'leftovers', CASE WHEN what IS NULL THEN 'OK' ELSE 'WARN' END,
        coalesce(what || ' (a restore without pgtrickle''s data has brought them: the daemon removes them)', 'none');
    RETURN QUERY SELECT 'capture_trigger',
        CASE WHEN x.kind = 'c' AND x.plain > 0 AND x.in_c = 0 THEN 'WARN' ELSE 'OK' END,
        format('%s: %s sources in C, %s in PL/pgSQL', x.kind, x.in_c, x.plain)
    FROM (SELECT coalesce((SELECT c.capture_trigger FROM pgtrickle.pgt_control c), 'auto') AS kind,
                 count(*) FILTER (WHERE l.lanname = 'pgtrickle_capture') AS in_c,
                 count(*) FILTER (WHERE l.lanname <> 'pgtrickle_capture') AS plain
          FROM pgtrickle.pgt_sources s
          JOIN pg_proc p ON p.pronamespace = 'pgtrickle_changes'::regnamespace AND p.proname = 'capture_' || s.source_id
          JOIN pg_language l ON l.oid = p.prolang) AS x;
    RETURN QUERY SELECT 'installation', CASE WHEN pgtrickle._cluster_changed() THEN 'ERROR' ELSE 'OK' END,
        CASE WHEN pgtrickle._cluster_changed()
             THEN 'this catalog comes from another cluster or database (restore, pg_upgrade): the daemon must relink it'
                 ELSE 'this catalog belongs to this database' END;
END
$$;
GRANT EXECUTE ON FUNCTION pgtrickle.health_check TO PUBLIC;
COMMENT ON FUNCTION pgtrickle.health_check() IS 'One row per check, severity OK, WARN or ERROR, with what was found.';
