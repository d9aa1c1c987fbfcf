#include "compiler/sql/statement.h"

#include <stdexcept>
#include <utility>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kCommentBytes = 100;
constexpr std::size_t kAboutBytes = 1000;

}  // namespace

void SourceNumbers::add(std::uint32_t relid, SourceId log_id, const std::string& name) {
  if (!index_.emplace(relid, sources_.size()).second) return;
  sources_.emplace_back(relid, log_id);
  names_.push_back(plain_name(name) + "_changed");
}

std::vector<std::string> SourceNumbers::variables() const {
  auto names = unique_names(names_);
  for (auto& name : names) name = quote_ident(name);
  return names;
}

std::string SourceNumbers::declarations(const std::string& changed) const {
  std::string text;
  const auto names = variables();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    text += names[i] + " CONSTANT boolean := ";
    if (immediate_)
      text += in_variables_ ? "$" + number + " IS NOT NULL;\n" : "$1[" + number + "] > 0;\n";
    else
      text += "(" + changed + " & " + std::to_string(bit(sources_[i].first)) + ") <> 0;\n";
  }
  return text;
}

std::string SourceNumbers::gate(std::uint64_t mask) const {
  std::vector<std::string> changed;
  const auto names = variables();
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((bit(sources_[i].first) & mask) != 0) changed.push_back("v." + names[i]);
  if (changed.empty()) return "false";
  return changed.size() == 1 ? changed.front() : "(" + join(changed, " OR ") + ")";
}

std::uint64_t SourceNumbers::bit(std::uint32_t relid) const {
  return std::uint64_t{1} << (index_.at(relid) % kChangedBits);
}

SourceId SourceNumbers::log_id(std::uint32_t relid) const {
  return sources_.at(index_.at(relid)).second;
}

SourceNumbers SourceNumbers::immediate(TableId table, bool in_variables, std::string about) const {
  SourceNumbers copy = *this;
  copy.about_ = std::move(about);
  copy.immediate_ = table;
  copy.in_variables_ = in_variables;
  return copy;
}

FromItem SourceNumbers::changes(std::uint32_t relid) const {
  if (!immediate_) return "pgtrickle_changes.log_" + std::to_string(log_id(relid));
  if (in_variables_) return "unnest(v." + changes_variable(number(relid)) + ")";
  return changes_table(*immediate_, number(relid));
}

std::vector<std::string> SourceNumbers::pending_conditions(const std::string& alias) const {
  return immediate_ ? std::vector<std::string>{} : pending(alias);
}

std::string changes_variable(std::size_t source) {
  return "d" + std::to_string(source);
}

std::string changes_table(TableId table, std::size_t source) {
  return "pgtrickle_state.changes_" + std::to_string(table) + "_" + std::to_string(source);
}

std::string Statement::add(const std::string& hint, const std::string& about, const std::string& body,
                           const char* how) {
  std::string name = plain_name(hint);
  const int count = ++used_[name];
  if (count > 1) name += "__" + std::to_string(count);
  name = quote_ident(name);
  tables_.push_back("-- " + one_line(about, kCommentBytes) + "\n" + name + " AS " + how + "(\n  " + indent(body, 2) +
                    ")");
  return name;
}

std::string Statement::with(const std::string& hint, const std::string& about, const Query& query, bool materialized) {
  return add(hint, about, query.sql(), materialized ? "MATERIALIZED " : "");
}

std::string Statement::with(const std::string& hint, const std::string& about, const Change& change) {
  return add(hint, about, change.sql(), "");
}

std::string Statement::with_name(const std::string& hint, const std::string& about, const Query& query) {
  return add(hint, about, query.sql(), "NOT MATERIALIZED ");
}

std::string Statement::with_name_of(const FromItem& item, const std::string& hint, const std::string& about) {
  return item.is_query() ? with(hint, about, item.query()) : item.sql();
}

std::string Statement::with_shared(const Query& query, const std::string& hint, const std::string& about) {
  const auto found = shared_.find(query.sql());
  if (found != shared_.end()) return found->second;
  return shared_[query.sql()] = with(hint, about, query);
}

std::string Statement::sql(const Select& last) const {
  if (tables_.empty()) return last.sql();
  const std::string about = sources_.about().empty() ? "" : "-- " + one_line(sources_.about(), kAboutBytes) + "\n";
  return "WITH\n" + about + join(tables_, ",\n") + "\n" + last.sql();
}

std::string Statement::limit(std::uint32_t relid) const {
  if (!sized_) return {};
  return "(nullif(current_setting('pgtrickle.sizes', true), '')::bigint[])[" + std::to_string(sources_.number(relid)) +
         "]";
}

std::vector<std::string> pending(const std::string& alias, const std::string& frontier) {
  std::vector<std::string> arguments{alias + ".xid", alias + ".seq"};
  for (const char* part : {"snapshot", "xmin", "xmax", "xid", "seq"}) arguments.push_back(frontier + ".f_" + part);
  return {"pgtrickle._is_pending(" + join(arguments, ", ") + ")"};
}

}  // namespace pgtrickle::compiler
