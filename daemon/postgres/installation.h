// Whose pgtrickle is in a database. A role that may create a schema can make one named pgtrickle with functions of his
// own, so nothing in a database is called before this question, which uses pg_catalog alone, whatever the search_path,
// has been answered. A role that is a member of the owner is no exception: up to PostgreSQL 15 anybody can grant
// himself.
#pragma once

namespace pgtrickle::postgres {

/// One row: installed boolean; stranger text, a role that owns a part of it and is neither the connected role nor a
/// superuser, NULL if there is none; superuser boolean, whether the connected role is one.
inline constexpr const char* kWhoseInstallation = R"(
    SELECT pg_catalog.to_regprocedure('pgtrickle.version()') IS NOT NULL AS installed,
           (SELECT pg_catalog.min(r.rolname::pg_catalog.text)
            FROM (SELECT n.nspowner FROM pg_catalog.pg_namespace n
                  WHERE n.nspname OPERATOR(pg_catalog.=) ANY ('{pgtrickle,pgtrickle_changes,pgtrickle_state,pgtrickle_locks}'::pg_catalog.name[])
                  UNION ALL
                  SELECT p.proowner FROM pg_catalog.pg_proc p
                  JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
                  WHERE n.nspname OPERATOR(pg_catalog.=) 'pgtrickle') AS o(owner)
            JOIN pg_catalog.pg_roles r ON r.oid OPERATOR(pg_catalog.=) o.owner
            WHERE NOT r.rolsuper AND r.rolname OPERATOR(pg_catalog.<>) current_user) AS stranger,
           (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user) AS superuser)";

}  // namespace pgtrickle::postgres
