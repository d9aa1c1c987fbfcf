#include "compiler/operators/match_flips.h"

#include <algorithm>

#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"
#include "compiler/sql/statement.h"

namespace pgtrickle::compiler {

namespace {

void append(std::vector<std::string>& to, const std::vector<std::string>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// Keys or tuples whose number of matches changed: a relation of them and what is needed to go on from there.
struct Affected {
  std::string from;                 // columns, and dm
  std::vector<std::string> select;  // its columns over alias t, fit to be selected beside `group`
  std::vector<std::string> group;   // GROUP BY terms over alias t that tell them apart
  std::vector<std::string> match;   // conditions between t and a row b of the other input
};

class Flips {
 public:
  Flips(Statement& statement, const MatchSides& sides)
      : statement_(statement),
        sides_(sides),
        row_(sides.left),
        kept_(sides.kept == Side::kLeft ? sides.left : sides.right),
        other_(sides.kept == Side::kLeft ? sides.right : sides.left) {
    keys_ = sides.conditions.keys(row_);
    mixed_ = sides.conditions.mixed(row_);
    kept_only_ = sides.conditions.local(sides.kept, row_);
    other_only_ = sides.conditions.local(opposite(sides.kept), row_);
    // Names for columns of our own beside those of the inputs.
    std::vector<std::string> wanted;
    for (const auto* input : {&kept_, &other_})
      for (const auto& col : input->columns()) wanted.push_back(col.name);
    for (const char* own : {"row_no", "dm", "flip"}) wanted.emplace_back(own);
    const auto names = unique_names(wanted);
    row_no_ = quote_ident(names[names.size() - 3]);
    dm_ = quote_ident(names[names.size() - 2]);
    flip_ = quote_ident(names[names.size() - 1]);
  }

  std::vector<Query> terms(const std::vector<std::string>& select, bool negate) {
    const std::string flips = mixed_.empty() ? flipped(affected_keys()) : flipped(affected_tuples());
    std::vector<std::string> conditions = mixed_.empty() ? key_match("a", "f") : tuple_match("a", "f");
    append(conditions, scope("a", "f").sql(kept_only_));
    conditions.push_back(statement_.gate(other_.source_mask()));
    const std::string flip = std::string(negate ? "-" : "") + "f." + flip_;
    const std::string unflip = std::string(negate ? "" : "-") + "(a.w * f." + flip_ + ")";
    auto term = [&](const FromItem& from, const std::string& weight) {
      return Select(select).item(weight, "w").from(flips, "f").from(from, "a").where(conditions);
    };
    return {term(kept_.post(), flip), term(sides_.kept_delta, unflip).where(statement_.gate(kept_.source_mask()))};
  }

 private:
  [[nodiscard]] MatchScope scope(const std::string& kept, const std::string& other) const {
    if (sides_.kept == Side::kLeft) return {sides_.left, kept, sides_.right, other};
    return {sides_.left, other, sides_.right, kept};
  }

  /// Conditions of the other input's row, in scope as b, that are independent of the kept row.
  [[nodiscard]] std::vector<std::string> other_conditions() const { return scope("a", "b").sql(other_only_); }

  // By key ------------------------------------------------------------------------------------------------------------

  static std::string key_name(std::size_t i) { return "k" + std::to_string(i + 1); }

  [[nodiscard]] std::string key_expr(std::size_t i, Side side, const std::string& alias) const {
    return scope(alias, alias).sql(keys_[i].of(side), true);
  }

  [[nodiscard]] std::vector<std::string> key_match(const std::string& kept, const std::string& keys) const {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < keys_.size(); ++i)
      parts.push_back(key_expr(i, sides_.kept, kept) + " = " + keys + "." + key_name(i));
    return parts;
  }

  Affected affected_keys() {
    Affected affected;
    Select select;
    std::vector<std::string> group;
    select.where(other_conditions());
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      const std::string expr = key_expr(i, opposite(sides_.kept), "b");
      group.push_back(expr);
      select.item(expr, key_name(i));
      select.where(expr + " IS DISTINCT FROM NULL");  // IS NOT NULL is not true of every composite value
      affected.select.push_back("t." + key_name(i));
      affected.match.push_back(expr + " = t." + key_name(i));
    }
    affected.group = affected.select;
    append(affected.match, other_conditions());
    // Without keys there is one, the empty one; the sum of no rows is NULL, so that nothing is affected then.
    select.item("sum(b.w)::int", dm_).from(sides_.other_delta, "b").group_by(group).having("sum(b.w) <> 0");
    affected.from = statement_.with("affected", "keys whose number of matches changes, and by how many", select);
    return affected;
  }

  // By row ------------------------------------------------------------------------------------------------------------

  /// Columns of the kept input that conditions between the sides read.
  [[nodiscard]] std::vector<const OutputColumn*> tuple() const {
    std::set<int> positions;
    auto collect = [&](const Node& expr) {
      for (const int column : row_.columns_of(expr, sides_.kept)) positions.insert(column);
    };
    for (const auto& key : keys_) collect(key.of(sides_.kept));
    for (const auto& expr : mixed_) collect(expr);
    std::vector<const OutputColumn*> columns;
    for (const int position : positions) columns.push_back(&kept_.columns().at(static_cast<std::size_t>(position)));
    return columns;
  }

  [[nodiscard]] std::vector<std::string> tuple_group(const std::string& alias) const {
    std::vector<std::string> terms;
    for (const auto* col : tuple()) append(terms, identity_terms(alias + quote_ident(col->name), col->type.value()));
    return terms;
  }

  [[nodiscard]] std::vector<std::string> tuple_select(const std::string& alias) const {
    std::vector<std::string> list;
    for (const auto* col : tuple()) {
      const std::string name = quote_ident(col->name);
      list.push_back(grouped_value(alias + name, col->type.value(), name));
    }
    return list;
  }

  /// All that relates a row of the kept input to one of the other.
  [[nodiscard]] std::vector<std::string> row_conditions(const std::string& kept, const std::string& other) const {
    const MatchScope in = scope(kept, other);
    std::vector<std::string> parts;
    for (const auto& key : keys_) parts.push_back(in.sql(key.left, true) + " = " + in.sql(key.right, true));
    append(parts, in.sql(mixed_));
    return parts;
  }

  /// Two tuples are the same, NULL like any value. The keys by "=" (a tuple that has a match has no NULL there), so
  /// that indexes serve; without keys by hash.
  [[nodiscard]] std::vector<std::string> tuple_match(const std::string& kept, const std::string& tuples) const {
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < keys_.size(); ++i)
      parts.push_back(key_expr(i, sides_.kept, kept) + " = " + key_expr(i, sides_.kept, tuples));
    std::vector<std::string> left;
    std::vector<std::string> right;
    std::vector<TypeInfo> types;
    for (const auto* col : tuple()) {
      const TypeInfo& type = col->type.value();
      const std::string name = "." + quote_ident(col->name);
      const std::string by_key = kept + name + " = " + tuples + name;
      if (type.identity && std::find(parts.begin(), parts.end(), by_key) != parts.end()) continue;
      append(left, identity_terms(kept + name, type));
      append(right, identity_terms(tuples + name, type));
      if (type.equatable) types.push_back(type);
      if (left.size() > types.size()) types.emplace_back();  // an image
    }
    if (left.empty()) return parts;
    if (keys_.empty()) return row_match(left, right, types, false);
    parts.push_back(row_equal(left, right, types));
    return parts;
  }

  Affected affected_tuples() {
    const std::string numbered = statement_.with("numbered", "changed rows of the other side, told apart",
                                                 Select(other_.column_names("b."))
                                                     .item("b.w")
                                                     .item("row_number() OVER ()", row_no_)
                                                     .from(sides_.other_delta, "b")
                                                     .where(other_conditions()));
    std::vector<std::string> list;
    for (const auto* col : tuple()) list.push_back("a." + quote_ident(col->name));
    append(list, {"b.w", "b." + row_no_});
    auto pairs = [&](const FromItem& from) {
      return Select(list)
          .from(numbered, "b")
          .from(from, "a")
          .where(row_conditions("a", "b"))
          .where(scope("a", "b").sql(kept_only_));
    };
    // Rows that are gone were affected as well.
    const Query both =
        union_all({pairs(kept_.post()), pairs(sides_.kept_delta).where(statement_.gate(kept_.source_mask()))});
    Affected affected;
    affected.from = statement_.with("affected", "rows whose number of matches changes, and by how many",
                                    Select(tuple_select("x."))
                                        .item("(sum(x.w) * count(DISTINCT x." + row_no_ + ") / count(*))::int", dm_)
                                        .from(both, "x")
                                        .group_by(tuple_group("x."))
                                        .having("sum(x.w) <> 0"));
    affected.select = tuple_select("t.");
    affected.group = tuple_group("t.");
    affected.match = row_conditions("t", "b");
    append(affected.match, other_conditions());
    return affected;
  }

  // Both --------------------------------------------------------------------------------------------------------------

  /// One of the keys leads to an index of the other input.
  [[nodiscard]] bool indexed() const {
    return std::any_of(keys_.begin(), keys_.end(), [&](const KeyPair& key) {
      int position = 0;
      return is_column(key.of(opposite(sides_.kept)), &position) && other_.indexed(row_.at(position).column);
    });
  }

  /// The affected ones whose having-no-match changed, with f.
  std::string flipped(const Affected& affected) {
    const std::string dm = "t." + dm_;
    auto flip = [&](const std::string& n) { return "CASE WHEN " + n + " = 0 THEN 1 ELSE -1 END"; };
    auto flips = [&](const std::string& n) { return "(" + n + " = 0) <> (" + n + " = " + dm + ")"; };
    const char* about = "rows that get their first match (+1) or lose their last (-1)";
    if (keys_.empty() || indexed()) {
      const Select matches =
          Select().from(other_.post(), "b").where(affected.match).limit("greatest(" + dm + ", 0) + 1");
      return statement_.with("flips", about,
                             Select(names(affected))
                                 .item(flip("m.n"), flip_)
                                 .from(affected.from, "t")
                                 .cross_join_lateral(Select().item("count(*)", "n").from(matches, "x"), "m")
                                 .where(flips("m.n")));
    }
    // Without an index each lookup would be a scan: one join for all, which the planner can hash.
    std::vector<std::string> group = affected.group;
    group.push_back(dm);
    return statement_.with("flips", about,
                           Select(affected.select)
                               .item(flip("count(b.*)"), flip_)
                               .from(affected.from, "t")
                               .join("LEFT JOIN", other_.post(), "b", affected.match)
                               .group_by(std::move(group))
                               .having(flips("count(b.*)")));
  }

  [[nodiscard]] std::vector<std::string> names(const Affected& affected) const {
    if (mixed_.empty()) return affected.select;
    std::vector<std::string> list;
    for (const auto* col : tuple()) list.push_back("t." + quote_ident(col->name));
    return list;
  }

  Statement& statement_;
  const MatchSides& sides_;
  const PairRow row_;
  const Operator& kept_;
  const Operator& other_;
  std::vector<KeyPair> keys_;
  std::vector<Node> mixed_;
  std::vector<Node> kept_only_;
  std::vector<Node> other_only_;
  std::string row_no_, dm_, flip_;  // quoted
};

}  // namespace

std::vector<Query> flip_terms(Statement& statement, const MatchSides& sides, const std::vector<std::string>& select,
                              bool negate) {
  return Flips(statement, sides).terms(select, negate);
}

std::string flip_cost(const MatchConditions& conditions, const Operator& left, const Operator& right) {
  const PairRow row(left);
  const auto keys = conditions.keys(row);
  if (!keys.empty()) {
    // A side that never changes is not looked up from, and reading it costs the same however much there is of the rest.
    auto served = [&](Side side, const Operator& input, const Operator& other) {
      return input.source_mask() == 0 || other.source_mask() == 0 ||
             std::any_of(keys.begin(), keys.end(), [&](const KeyPair& key) {
               int position = 0;
               return is_column(key.of(side), &position) && input.can_be_looked_up(row.at(position).column);
             });
    };
    return served(Side::kLeft, left, right) && served(Side::kRight, right, left)
               ? "O(delta x matches)"
               : "O(delta + input): no index can serve the equality";
  }
  if (!conditions.mixed(row).empty()) return "O(delta x input): no equality between the sides";
  return "O(delta), O(input) while nothing matches or when that changes";
}

}  // namespace pgtrickle::compiler
