#include "compiler/plan/writer_locks.h"

#include <algorithm>
#include <array>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

constexpr std::size_t kMostDomains = 16;
constexpr std::array<std::uint32_t, 3> kIntegers{21, 23, 20};  // int2, int4, int8: one equality, one hash as int8
constexpr std::array<std::uint32_t, 2> kTexts{25, 1043};       // text, varchar

template <std::size_t N>
bool has(const std::array<std::uint32_t, N>& oids, std::uint32_t oid) {
  return std::find(oids.begin(), oids.end(), oid) != oids.end();
}

/// The type that equal values of two columns have one hash as: empty if it is their own. nullopt: not known.
std::optional<std::string> hashed_as(const TypeInfo& a, const TypeInfo& b) {
  if (a.collation != b.collation) return std::nullopt;
  if (a.base_oid != b.base_oid) {
    if (has(kIntegers, a.base_oid) && has(kIntegers, b.base_oid)) return "int8";
    if (has(kTexts, a.base_oid) && has(kTexts, b.base_oid)) return "text";
    return std::nullopt;
  }
  if (!a.equatable || !a.hashable || !a.builtin_operators || !b.builtin_operators) return std::nullopt;
  return std::string();
}

void collect(const Operator& op, std::vector<const Operator*>& all) {
  all.push_back(&op);
  for (const auto& input : op.inputs()) collect(*input, all);
}

std::vector<const Operator*> scans_below(const Operator& op) {
  std::vector<const Operator*> all;
  collect(op, all);
  all.erase(std::remove_if(all.begin(), all.end(), [](const Operator* o) { return !o->reads(); }), all.end());
  return all;
}

bool is_unique(const WriterLocks::Role& role) {
  const auto& keys = role.source->unique_keys;
  return std::any_of(keys.begin(), keys.end(), [&](const auto& key) {
    return std::all_of(key.begin(), key.end(), [&](std::int16_t attnum) {
      return std::any_of(role.columns.begin(), role.columns.end(),
                         [&](const SourceColumn* column) { return column->attnum == attnum; });
    });
  });
}

class Derivation {
 public:
  void add(const Operator& op) {
    const auto meetings = op.meetings();
    if (!meetings) return alone(op.describe());
    for (const auto& meeting : *meetings) add(meeting);
  }

  void alone(const std::string& why) {
    if (locks_.alone) return;
    locks_.alone = true;
    locks_.why = one_line(why, 80);
  }

  WriterLocks take(WriterLocks::Result result) {
    locks_.result = result;
    if (locks_.domains.size() > kMostDomains) alone("more than " + std::to_string(kMostDomains) + " pairs of inputs");
    if (locks_.alone) {
      locks_.domains.clear();
      locks_.result = WriterLocks::Result::kNone;
    }
    return std::move(locks_);
  }

 private:
  void add(const Operator::Meeting& meeting) {
    const auto lefts = scans_below(*meeting.left);
    const auto rights = scans_below(*meeting.right);
    bool any_by_value = false;
    for (const auto* left : lefts) {
      for (const auto* right : rights) {
        auto domain = pair(meeting, *left, *right);
        any_by_value = any_by_value || domain.keyed();
        auto& l = domain.roles[0];
        auto& r = domain.roles[1];
        l.exclusive = meeting.left_counted;
        r.exclusive = meeting.right_counted;
        // Values that are unique on one side are changed by one writer at a time anyway.
        if (!l.exclusive && !r.exclusive) (is_unique(l) && !is_unique(r) ? l : r).exclusive = true;
        add(std::move(domain));
      }
    }
    // Two writers of the counted side, each of whom sees the match that the other one takes away.
    if (meeting.left_counted && (lefts.size() > 1 || !any_by_value)) add_all(lefts);
    if (meeting.right_counted && (rights.size() > 1 || !any_by_value)) add_all(rights);
  }

  static WriterLocks::Domain pair(const Operator::Meeting& meeting, const Operator& left, const Operator& right) {
    WriterLocks::Domain domain;
    domain.roles = {{left.reads()->source, {}, {}, false}, {right.reads()->source, {}, {}, false}};
    for (const auto& [l, r] : meeting.equal) {
      const auto from = meeting.left->source_of(l);
      const auto to = meeting.right->source_of(r);
      if (!from || !to || from->scan != &left || to->scan != &right) continue;
      const auto cast = hashed_as(from->column->type, to->column->type);
      if (!cast) continue;
      domain.roles[0].columns.push_back(from->column);
      domain.roles[0].casts.push_back(*cast);
      domain.roles[1].columns.push_back(to->column);
      domain.roles[1].casts.push_back(*cast);
    }
    return domain;
  }

  void add_all(const std::vector<const Operator*>& scans) {
    WriterLocks::Domain domain;
    for (const auto* scan : scans) domain.roles.push_back({scan->reads()->source, {}, {}, true});
    if (!scans.empty()) add(std::move(domain));
  }

  void add(WriterLocks::Domain domain) {
    const auto same = [&](const WriterLocks::Domain& other) { return equal(domain, other); };
    if (std::none_of(locks_.domains.begin(), locks_.domains.end(), same)) locks_.domains.push_back(std::move(domain));
  }

  static bool equal(const WriterLocks::Domain& a, const WriterLocks::Domain& b) {
    return std::equal(a.roles.begin(), a.roles.end(), b.roles.begin(), b.roles.end(), [](const auto& x, const auto& y) {
      return x.source == y.source && x.columns == y.columns && x.exclusive == y.exclusive;
    });
  }

  WriterLocks locks_;
};

}  // namespace

std::string WriterLocks::Domain::describe() const {
  std::vector<std::string> sides;
  for (const auto& role : roles) {
    std::vector<std::string> columns;
    for (const auto* column : role.columns) columns.push_back(quote_ident(column->name));
    sides.push_back(quote_ident(role.source->name) + (columns.empty() ? "" : "(" + join(columns, ", ") + ")") +
                    (role.exclusive ? " exclusive" : " shared"));
  }
  return (keyed() ? "values: " : "all: ") + join(sides, ", ");
}

int WriterLocks::buckets() const {
  const auto count = domains.size() + (result == Result::kNone ? 0 : 1);
  return static_cast<int>(count) * kBuckets;
}

std::vector<std::string> WriterLocks::describe() const {
  if (alone) return {"the stream table: writers go one after the other (" + why + ")"};
  std::vector<std::string> lines;
  for (const auto& domain : domains) lines.push_back(domain.describe());
  if (result == Result::kKeys) lines.emplace_back("keys of the result that change, exclusive");
  if (result == Result::kRows) lines.emplace_back("rows of the result that change, exclusive");
  if (lines.empty()) lines.emplace_back("none but the rows that change");
  return lines;
}

WriterLocks derive_locks(const CutPlan& plan, bool keyed) {
  Derivation derivation;
  if (!plan.inner.empty()) derivation.alone("several nodes have state");
  const StatefulOperator* state = plan.root_state;
  std::vector<const Operator*> all;
  collect(*plan.root, all);
  for (const auto* op : all)
    if (op != state) derivation.add(*op);
  if (state == nullptr) return derivation.take(keyed ? WriterLocks::Result::kNone : WriterLocks::Result::kRows);
  if (!state->by_key()) derivation.alone(state->describe());
  if (!keyed) derivation.alone("rows of different keys can be the same");
  return derivation.take(WriterLocks::Result::kKeys);
}

}  // namespace pgtrickle::compiler
