-- Rights, and the record of this installation (last: it shows that the script ran to its end).

REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA pgtrickle FROM PUBLIC;
-- The API, and of the internal functions (_name) those that it calls with the caller's rights. They can do nothing that
-- the caller could not do himself; _pending, _is_fresh, _hold_reason and _not_covered run as the admin and only look,
-- _net_log changes nobody's result.
DO $grants$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.oid::pg_catalog.regprocedure AS signature, p.prokind FROM pg_catalog.pg_proc p
             WHERE p.pronamespace = 'pgtrickle'::regnamespace AND (pg_catalog.left(p.proname, 1) <> '_' OR p.proname IN (
                '_schedule_kind', '_duration_ms', '_cron_field', '_check_cron', '_schedule_ms', '_check_schedule', '_parse_schedule', '_may_manage', '_may_manage_id', '_wake', '_fail', '_qualified', '_parse_name', '_resolve', '_find', '_find_own',
                '_is_trusted', '_fact_now', '_fact_reason', '_lost_fact', '_changed_facts', '_facts_answer', '_not_null_columns', '_unique_keys', '_row_security_applies', '_object_name',
                '_is_groupable', '_value_image', '_first', '_any_of', '_daemon_alive', '_has_new_owner', '_source_shape', '_source_relations', '_has_event_triggers', '_not_capturable', '_subscription_of', '_source_problem',
                '_pending', '_pending_rows', '_is_fresh', '_make_view', '_view_sources', '_view_problems', '_query_hint', '_view_meaning', '_lost_in_text', '_check_deferred', '_base_type', '_syntax_error_position', '_canonical', '_kept_text', '_excerpt', '_not_differential', '_require_differential', '_require_differential_as_it_is', '_current_settings', '_guard',
                '_check_mode', '_choice', '_with_options', '_target', '_define',
                '_referred', '_names_now', '_names', '_same_objects', '_is_renamed', '_request', '_create_stream_table', '_readers', '_drop_stream_table', '_lock_frontiers', 
                '_hold_reason', '_cycle_path', '_check_cycle', '_columns_fit', '_align_columns', '_alter_stream_table', '_replace_stream_table', '_validate_query', '_refresh',
                '_wait_until_active', '_setting_names', '_apply_settings', '_sources_to_lock', '_require_lockable', '_require_safe_session', '_require_safe_to_refresh', '_may_refresh_here', '_ask_to_refresh', '_wait_for_refresh', '_verify_stream_table', '_explain_stream_table', '_read_by', '_at_work_on', '_refresh_history', '_cluster_changed', '_leftovers', '_leader_trouble', '_lockers',
                '_system_identifier', '_source_rows', '_cycle_of', '_refresh_scc', '_check_cycle', '_removals_pending', '_together', '_net_log',
                -- what refresh_<id> calls, as the owner of the stream table (59, 61)
                '_planning', '_source_out_of_reach', '_keep_writers_out', '_facts_from', '_settle_refresh', '_refresh_program', '_lock_sources', '_is_subscribed',
                '_unique_columns', '_raise_violation',
                '_scc_is_known', '_scc_done', '_net_members',
                -- gates, watermarks, groups, fuses (62 to 64), operating, repairing, explaining, freshness (66 to 69)
                '_reads', '_relatives', '_watermark_state', '_hold_reason', '_consumers', '_names', '_find_source', '_require_owner', '_set_gate', '_advance_watermark',
                '_is_admin', '_check_group_name', '_create_watermark_group', '_reset_fuse', '_upstream', '_upstream_first', '_refreshed_with', '_create_refresh_group',
                '_refresh_one', '_refresh_now', '_require_program', '_rebuild_wait', '_locks_against_build', '_build_blockers', '_own_locks_against_build', '_wait_for_rebuild',
                '_ask_for_rebuild', '_pace', '_refresh_together', '_require_admin', '_require_no_nodes', '_pause_stream_table', '_set_stream_table_sla',
                '_install_guard', '_findings', '_repair_stream_table', '_error_class', '_remedy', '_diagnose_errors', '_ms', '_explain_choice', '_explain_refresh_mode',
                '_contains', '_not_covered', '_wait_for_freshness', '_require_hope', '_staleness', '_refresh_if_stale', '_refresh_with_upstream')) LOOP
        EXECUTE pg_catalog.format('GRANT EXECUTE ON %s %s TO PUBLIC', CASE f.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, f.signature);
    END LOOP;
END
$grants$;

INSERT INTO pgtrickle.pgt_installation (system_identifier, database_oid, version)
SELECT pgtrickle._system_identifier(), d.oid, pgtrickle.version() FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database();
