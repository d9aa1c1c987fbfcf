#include "compiler/generate/statement.h"

#include <stdexcept>

#include "compiler/generate/sql_text.h"

namespace pgtrickle::compiler {

void SourceNumbers::add(std::uint32_t relid, std::int64_t log_id) {
  if (!index_.emplace(relid, sources_.size()).second) return;
  sources_.emplace_back(relid, log_id);
}

std::uint64_t SourceNumbers::bit(std::uint32_t relid) const {
  return std::uint64_t{1} << (index_.at(relid) % 62);
}

std::int64_t SourceNumbers::log_id(std::uint32_t relid) const {
  return sources_.at(index_.at(relid)).second;
}

std::string Statement::with(const std::string& hint, const std::string& body, bool materialized) {
  std::string name = plain_name(hint);
  const int count = ++used_[name];
  if (count > 1) name += "__" + std::to_string(count);
  name = quote_ident(name);
  parts_.push_back(name + (materialized ? " AS MATERIALIZED (\n    " : " AS (\n    ") + indent(body, 4) + ")");
  return name;
}

std::string Statement::with_shared(const std::string& key, const std::string& hint, const std::string& body) {
  const auto found = shared_.find(key);
  if (found != shared_.end()) return found->second;
  return shared_[key] = with(hint, body);
}

std::string Statement::with_clause() const {
  if (parts_.empty()) return {};
  return "WITH " + join(parts_, ",\n") + "\n";
}

std::string Statement::limit(std::uint32_t relid) const {
  return sized_ ? "\nLIMIT v.n_" + std::to_string(sources_.number(relid)) : std::string();
}

std::string pending(const std::string& alias, const std::string& frontier) {
  // The frontier's own transaction is decided by seq alone: in READ COMMITTED its id can lie below the snapshot's xmax,
  // so that what it wrote after the refresh would pass as visible. The xmax test spares most rows the function call.
  const std::string xid = alias + ".xid";
  const std::string f = frontier + ".f_";
  return xid + " >= " + f + "xmin AND (" + xid + " <> " + f + "xid AND (" + xid + " >= " + f +
         "xmax OR NOT pg_visible_in_snapshot(" + xid + ", " + f + "snapshot))" + "\n    OR " + xid + " = " + f +
         "xid AND " + alias + ".seq > " + f + "seq)";
}

std::string gate(std::uint64_t mask) {
  return "(v.changed & " + std::to_string(mask) + ") <> 0";
}

}  // namespace pgtrickle::compiler
