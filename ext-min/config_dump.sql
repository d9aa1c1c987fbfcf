
-- Only in the extension: pg_dump saves the contents of these.
SELECT pg_catalog.pg_extension_config_dump(c, '')
FROM pg_catalog.unnest(ARRAY['pgtrickle.pgt_stream_tables', 'pgtrickle.pgt_stream_tables_pgt_id_seq', 'pgtrickle.pgt_sources',
    'pgtrickle.pgt_sources_source_id_seq', 'pgtrickle.pgt_frontiers', 'pgtrickle.pgt_dependencies', 'pgtrickle.pgt_refresh_history',
    'pgtrickle.pgt_refresh_history_refresh_id_seq', 'pgtrickle.pgt_installation', 'pgtrickle_changes.log_seq']::regclass[]) AS c;
