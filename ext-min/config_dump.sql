
-- Only in the extension: pg_dump saves the contents of these. One statement each, they update the same catalog row.
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_stream_tables', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_stream_tables_pgt_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_sources', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_sources_source_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_frontiers', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_dependencies', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_immediate', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_immediate_stopped', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_refresh_stats', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_refresh_history', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_refresh_history_refresh_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_source_gates', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_capture_rights', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_watermarks', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_watermark_groups', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_watermark_groups_group_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_refresh_groups', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_refresh_groups_group_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_refresh_group_members', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_adopted', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle.pgt_installation', '');
SELECT pg_catalog.pg_extension_config_dump('pgtrickle_changes.log_seq', '');
