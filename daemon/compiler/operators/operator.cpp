#include "compiler/operators/operator.h"

#include <algorithm>
#include <stdexcept>

#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

Operator::Operator(const Operator& other) : columns_(other.columns_) {
  for (const auto& input : other.inputs_) inputs_.push_back(input->clone());
}

std::uint64_t Operator::source_mask() const {
  std::uint64_t mask = 0;
  for (const auto& input : inputs_) mask |= input->source_mask();
  return mask;
}

void Operator::number(const SourceNumbers& numbers) {
  for (auto& input : inputs_) input->number(numbers);
}

bool Operator::absorb_filter(const Node& /*predicate*/) {
  return false;
}

Operator::Place Operator::filterable(const std::vector<int>& /*columns*/) {
  return {};
}

void Operator::resolve_types(TypeOracle& oracle) {
  for (auto& input : inputs_) input->resolve_types(oracle);
}

void Operator::index_advice(std::vector<std::string>& advice) const {
  for (const auto& input : inputs_) input->index_advice(advice);
}

OperatorPtr Operator::superset(std::vector<int>& /*columns*/) const {
  return clone();
}

bool Operator::joins() const {
  return std::any_of(inputs_.begin(), inputs_.end(), [](const OperatorPtr& input) { return input->joins(); });
}

FromItem Operator::over(const FromItem& /*from*/, const std::vector<std::string>& /*carried*/) const {
  throw std::logic_error("not a row-wise operator");
}

std::optional<Operator::Origin> Operator::source_of(int column) const {
  if (!rowwise()) return std::nullopt;
  const int below = origin(column);
  if (below < 0) return std::nullopt;
  return inputs_[0]->source_of(below);
}

std::optional<std::vector<Operator::Meeting>> Operator::meetings() const {
  return rowwise() ? std::optional<std::vector<Meeting>>(std::in_place) : std::nullopt;
}

int Operator::origin(int /*position*/) const {
  return -1;
}

void Operator::advise_lookup(int /*column*/, std::vector<std::string>& /*advice*/) const {}

bool Operator::indexed(int /*column*/) const {
  return false;
}

bool Operator::can_be_looked_up(int column) const {
  if (indexed(column)) return true;
  std::vector<std::string> missing;
  advise_lookup(column, missing);
  return !missing.empty();
}

std::vector<std::string> Operator::column_names(const std::string& prefix) const {
  std::vector<std::string> names;
  names.reserve(columns_.size());
  for (const auto& col : columns_) names.push_back(prefix + quote_ident(col.name));
  return names;
}

std::string render(const Node& expr, const std::string& alias, const Operator& input) {
  return deparse_over(expr, [&](int index) {
    return quote_ident(alias) + "." + quote_ident(input.columns().at(static_cast<std::size_t>(index)).name);
  });
}

std::string render_operand(const Node& expr, const std::string& alias, const Operator& input) {
  std::string sql = render(expr, alias, input);
  return is_column(expr) ? sql : "(" + sql + ")";
}

namespace {

constexpr const char* kImage = "pgt image";  // a name that nothing in a query can mean

}  // namespace

Node image_of(int index) {
  static const Node kCall = parse_expr("\"" + std::string(kImage) + "\"($1)");
  return map_columns(kCall, [&](int) { return column(index); });
}

void expand_images(Node& expr, const std::vector<OutputColumn>& columns) {
  rewrite(expr, [&](Node& node) {
    if (!node.has_func_call() || qualified_name(node.func_call().funcname()).second != kImage) return false;
    Node argument = node.func_call().args(0);
    int index = 0;
    is_column(argument, &index);
    const TypeInfo& type = columns.at(static_cast<std::size_t>(index)).type.value();
    node = map_columns(parse_expr(type.image.empty() ? "$1::text" : type.image), [&](int) { return argument; });
    return true;
  });
}

std::vector<TypeInfo> expression_types(const std::vector<Node>& expressions, const Operator& input,
                                       TypeOracle& oracle) {
  std::vector<TypeInfo> types;
  Select unknown;
  std::size_t count = 0;
  for (const auto& expr : expressions) {
    int index = 0;
    if (is_column(expr, &index)) {
      types.push_back(input.columns().at(static_cast<std::size_t>(index)).type.value());
    } else {
      types.emplace_back();
      unknown.item(render(expr, "i", input), "c" + std::to_string(++count));
    }
  }
  if (count == 0) return types;
  const auto answers = oracle.column_types(unknown.from(input.post(), "i").sql());
  std::size_t at = 0;
  for (std::size_t i = 0; i < expressions.size(); ++i)
    if (!is_column(expressions[i])) types[i] = answers.at(at++);
  return types;
}

std::vector<int> keep_columns(std::vector<OutputColumn>& columns, const std::set<int>& needed) {
  std::vector<int> mapping(columns.size(), -1);
  std::vector<OutputColumn> kept;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (needed.count(static_cast<int>(i)) == 0) continue;
    mapping[i] = static_cast<int>(kept.size());
    kept.push_back(std::move(columns[i]));
  }
  columns = std::move(kept);
  return mapping;
}

Node remap(const Node& expr, const std::vector<int>& mapping) {
  return map_columns(expr, [&](int index) {
    const int moved = mapping.at(static_cast<std::size_t>(index));
    if (moved < 0) throw std::logic_error("a pruned column is still in use");
    return column(moved);
  });
}

}  // namespace pgtrickle::compiler
