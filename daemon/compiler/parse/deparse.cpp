#include "compiler/parse/deparse.h"

#include <pg_query.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/error.h"
#include "compiler/parse/ast.h"
#include "compiler/parse/pg_query_text.h"
#include "compiler/parse/traverse.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using pg_query::SelectStmt;

/// A text with gaps: text[0] gap[0] text[1] gap[1] ... text[n].
struct Template {
  std::vector<std::string> text;
  std::vector<int> gaps;  // numbers of parameters

  [[nodiscard]] std::string fill(const std::function<std::string(int)>& write) const {
    std::string result = text.front();
    for (std::size_t i = 0; i < gaps.size(); ++i) {
      result += write(gaps[i]);
      result += text[i + 1];
    }
    return result;
  }
};

// Trees ---------------------------------------------------------------------------------------------------------------

/// Applies the foldings of the parser, which substitution may have left to do: no text could express the tree as it is.
void fold(Message& message) {
  for_each_child(message, [](Message& child, const FieldDescriptor&) { fold(child); });
  auto* node = as_node(message);
  if (node == nullptr) return;
  if (node->has_bool_expr() && node->bool_expr().boolop() != pg_query::NOT_EXPR && node->bool_expr().args_size() > 0) {
    auto& expr = *node->mutable_bool_expr();
    if (!expr.args(0).has_bool_expr() || expr.args(0).bool_expr().boolop() != expr.boolop()) return;
    pg_query::BoolExpr flat = expr.args(0).bool_expr();
    for (int i = 1; i < expr.args_size(); ++i) *flat.add_args() = std::move(*expr.mutable_args(i));
    expr = std::move(flat);
  } else if (node->has_a_expr() && node->a_expr().kind() == pg_query::AEXPR_OP && !node->a_expr().has_lexpr() &&
             node->a_expr().name_size() == 1 && node->a_expr().name(0).string().sval() == "-" &&
             node->a_expr().rexpr().has_a_const() && node->a_expr().rexpr().a_const().has_ival()) {
    Node constant = node->a_expr().rexpr();
    auto* value = constant.mutable_a_const()->mutable_ival();
    value->set_ival(-value->ival());
    *node = std::move(constant);
  }
}

void each_node(Message& message, const std::function<void(Node&)>& visit) {
  if (auto* node = as_node(message)) visit(*node);
  for_each_child(message, [&](Message& child, const FieldDescriptor&) { each_node(child, visit); });
}

int max_param(Message& message) {
  int found = 0;
  each_node(message, [&](Node& node) {
    if (node.has_param_ref()) found = std::max(found, node.param_ref().number());
  });
  return found;
}

/// libpg_query reads a missing enum value as the first one; trees that were made by hand may lack them.
void clear_first_enum_values(Message& message) {
  if (!is_node(message)) {
    const auto& shape = shape_of(message);
    for (const auto* field : shape.enums)
      if (shape.reflection->GetEnumValue(message, field) == 1) shape.reflection->ClearField(&message, field);
  }
  for_each_child(message, [](Message& child, const FieldDescriptor&) { clear_first_enum_values(child); });
}

template <typename Tree>
bool same(Tree a, Tree b) {
  if (a.SerializeAsString() == b.SerializeAsString()) return true;
  clear_first_enum_values(a);
  clear_first_enum_values(b);
  return a.SerializeAsString() == b.SerializeAsString();
}

// Gaps ----------------------------------------------------------------------------------------------------------------

/// Parameters go through the deparser as column references with a qualifier that stands nowhere else in the tree: every
/// rule of the grammar treats them as the columns that replace them, and they are found in the text without lexing it.
class Marks {
 public:
  explicit Marks(const Message& tree) {
    const std::string bytes = tree.SerializeAsString();
    for (int n = 0; n == 0 || bytes.find(qualifier_) != std::string::npos; ++n) qualifier_ = "$" + std::to_string(n);
  }

  /// Puts marks in the place of parameters.
  void put(Message& tree) const {
    each_node(tree, [&](Node& node) {
      if (node.has_param_ref()) node = column_ref(qualifier_, std::to_string(node.param_ref().number()));
    });
  }

  [[nodiscard]] std::string text(int param) const { return "\"" + qualifier_ + "\".\"" + std::to_string(param) + "\""; }

  [[nodiscard]] Template split(const std::string& sql) const {
    const std::string opening = "\"" + qualifier_ + "\".\"";
    Template result;
    std::size_t from = 0;
    for (std::size_t at = sql.find(opening); at != std::string::npos; at = sql.find(opening, from)) {
      const std::size_t number = at + opening.size();
      const std::size_t end = sql.find('"', number);
      result.text.push_back(sql.substr(from, at - from));
      result.gaps.push_back(std::stoi(sql.substr(number, end - number)));
      from = end + 1;
    }
    result.text.push_back(sql.substr(from));
    return result;
  }

 private:
  std::string qualifier_;
};

// Exact text ----------------------------------------------------------------------------------------------------------

[[noreturn]] void cannot_write(std::string about) {
  throw Unsupported("an expression that the compiler cannot write as SQL without changing its meaning",
                    std::move(about));
}

/// What libpg_query writes, exact or not.
std::optional<std::string> any_text(const SelectStmt& select) {
  pg_query::ParseResult tree;
  tree.set_version(PG_VERSION_NUM);
  *tree.add_stmts()->mutable_stmt()->mutable_select_stmt() = select;
  return tree_to_text(tree);
}

/// The text of a statement that has only marks, if libpg_query writes it exactly.
std::optional<std::string> attempt(const SelectStmt& select) {
  auto text = any_text(select);
  if (!text) return std::nullopt;
  const auto parsed = text_to_tree(*text).tree;
  if (!parsed || parsed->stmts_size() != 1 || !same(parsed->stmts(0).stmt().select_stmt(), select)) return std::nullopt;
  return text;
}

SelectStmt select_of(Node expr) {
  SelectStmt select;
  select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  select.set_op(pg_query::SETOP_NONE);
  *select.add_target_list()->mutable_res_target()->mutable_val() = std::move(expr);
  return select;
}

std::optional<std::string> attempt(const Node& expr) {
  auto text = attempt(select_of(expr));
  constexpr std::string_view kPrefix = "SELECT ";
  if (!text || text->rfind(kPrefix, 0) != 0) return std::nullopt;
  return text->substr(kPrefix.size());
}

/// Expressions that a column reference can replace in any place where the grammar has them (except the ones that
/// take_operands knows). Columns, parameters and constants are left where they are: some rules want a constant.
bool is_operand(const Node& node) {
  switch (node.node_case()) {
    case Node::kAExpr:
    case Node::kBoolExpr:
    case Node::kNullTest:
    case Node::kBooleanTest:
    case Node::kTypeCast:
    case Node::kCollateClause:
    case Node::kAIndirection:
    case Node::kCaseExpr:
    case Node::kFuncCall:
    case Node::kCoalesceExpr:
    case Node::kMinMaxExpr:
    case Node::kAArrayExpr:
    case Node::kRowExpr:
    case Node::kSubLink:
    case Node::kGroupingFunc:
    case Node::kSqlvalueFunction:
    case Node::kXmlExpr:
    case Node::kXmlSerialize:
      return true;
    case Node::kAConst:  // a negative number is an operator and a number
      return (node.a_const().has_ival() && node.a_const().ival().ival() < 0) ||
             (node.a_const().has_fval() && node.a_const().fval().fval().rfind('-', 0) == 0);
    default:
      return false;
  }
}

/// Moves the outermost operands below `message` into `operands` and puts parameters in their places, numbered from
/// `first` on.
void take_operands(Message& message, int first, std::vector<Node>& operands) {
  const auto* parent = as_node(message);
  const bool similar = parent != nullptr && parent->has_a_expr() && parent->a_expr().kind() == pg_query::AEXPR_SIMILAR;
  const bool from_function = typeid(message) == typeid(pg_query::RangeFunction);
  auto take = [&](Node& node) {
    operands.push_back(std::move(node));
    node = column(first + static_cast<int>(operands.size()) - 2);
  };
  for_each_child(message, [&](Message& child, const FieldDescriptor& field) {
    // The messages of the node kinds stand between the Nodes: the fields of an A_Expr are its grandchildren.
    if (similar) {
      auto& expr = static_cast<pg_query::A_Expr&>(child);
      if (expr.has_lexpr()) {
        if (is_operand(expr.lexpr()))
          take(*expr.mutable_lexpr());
        else
          take_operands(*expr.mutable_lexpr(), first, operands);
      }
      take_operands(*expr.mutable_rexpr(), first, operands);  // the call of similar_to_escape() belongs to the syntax
    } else if (from_function && field.name() == "functions") {
      auto& items = *static_cast<Node&>(child).mutable_list();  // of the call itself and its column definitions
      for (auto& item : *items.mutable_items()) take_operands(item, first, operands);
    } else if (auto* node = as_node(child); node != nullptr && is_operand(*node)) {
      take(*node);
    } else {
      take_operands(child, first, operands);
    }
  });
}

/// Writes expressions and queries with marks for their parameters.
class Writer {
 public:
  explicit Writer(const Message& tree) : marks_(tree) {}

  [[nodiscard]] const Marks& marks() const { return marks_; }

  std::string expression(const Node& expr) {
    Node marked = expr;
    marks_.put(marked);
    if (auto text = attempt(marked)) return *std::move(text);
    std::string text = piecewise(expr);
    const auto parsed = text_to_tree("SELECT " + text).tree;
    if (!parsed || parsed->stmts_size() != 1 || !same(parsed->stmts(0).stmt().select_stmt(), select_of(marked)))
      cannot_write(fragment(expr));
    return text;
  }

  std::string statement(const SelectStmt& select) {
    SelectStmt marked = select;
    marks_.put(marked);
    if (auto text = attempt(marked)) return *std::move(text);
    SelectStmt skeleton = select;
    const int first = max_param(skeleton) + 1;
    std::vector<Node> operands;
    take_operands(skeleton, first, operands);
    marks_.put(skeleton);
    const auto frame = attempt(skeleton);
    if (!frame) cannot_write(fragment(select));
    std::string text = assemble(*frame, first, operands, [&](const Node& operand) { return expression(operand); });
    const auto parsed = text_to_tree(text).tree;
    if (!parsed || parsed->stmts_size() != 1 || !same(parsed->stmts(0).stmt().select_stmt(), marked))
      cannot_write(fragment(select));
    return text;
  }

 private:
  /// Node by node, without trying larger pieces on the way: linear in the size of the tree.
  std::string piecewise(const Node& expr) {
    Node skeleton = expr;
    const int first = max_param(skeleton) + 1;
    std::vector<Node> operands;
    take_operands(skeleton, first, operands);
    marks_.put(skeleton);
    const auto frame = attempt(skeleton);
    if (!frame) cannot_write(fragment(expr));
    return assemble(*frame, first, operands, [&](const Node& operand) { return piecewise(operand); });
  }

  std::string assemble(const std::string& frame, int first, const std::vector<Node>& operands,
                       const std::function<std::string(const Node&)>& write) {
    return marks_.split(frame).fill([&](int param) {
      if (param < first) return marks_.text(param);
      return "(" + write(operands.at(static_cast<std::size_t>(param - first))) + ")";
    });
  }

  Marks marks_;
};

/// Templates of expressions by their serialised trees, in which columns are numbered in the order of their occurrence:
/// a.x = b.y and c.z = d.w are one template. Per thread, so that no lock is needed; it holds no state that matters,
/// only what can be computed again at any time, and it is emptied when it is full.
class Memo {
 public:
  static Memo& of_thread() {
    thread_local Memo memo;
    return memo;
  }

  std::shared_ptr<const Template> get(const Node& expr) {
    std::string key = expr.SerializeAsString();
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    if (nesting(expr, kNestingCeiling) > kNestingCeiling)
      throw Unsupported("an expression is nested more than " + std::to_string(kNestingCeiling) + " levels deep", {});
    Node folded = expr;
    clear_locations(folded);
    fold(folded);
    Writer writer(folded);
    const std::string text = writer.expression(folded);
    auto made = std::make_shared<const Template>(writer.marks().split(text));
    const std::size_t cost = key.size() + text.size();
    if (bytes_ + cost > kMaxBytes) clear();
    bytes_ += cost;
    known_.emplace(std::move(key), made);
    return made;
  }

  void clear() {
    known_.clear();
    bytes_ = 0;
  }

 private:
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20U;
  std::unordered_map<std::string, std::shared_ptr<const Template>> known_;
  std::size_t bytes_ = 0;
};

constexpr std::size_t kFragment = 120;  // bytes of an expression in a message

}  // namespace

std::string deparse_over(const Node& expr, const std::function<std::string(int)>& column_text) {
  int index = 0;
  if (is_column(expr, &index)) return column_text(index);
  Node general = expr;
  std::vector<int> columns;  // by occurrence
  each_node(general, [&](Node& node) {
    if (!node.has_param_ref()) return;
    columns.push_back(node.param_ref().number() - 1);
    node = column(static_cast<int>(columns.size()) - 1);
  });
  return Memo::of_thread().get(general)->fill(
      [&](int param) { return column_text(columns.at(static_cast<std::size_t>(param - 1))); });
}

void forget_templates() {
  Memo::of_thread().clear();
}

std::string deparse_expr(const Node& expr) {
  // Qualified columns are gaps too, so that the same expression over another alias is known already.
  Node general = expr;
  std::vector<std::string> texts;
  each_node(general, [&](Node& node) {
    if (node.has_param_ref()) {
      texts.push_back("$" + std::to_string(node.param_ref().number()));
    } else if (node.has_column_ref()) {
      const auto& fields = node.column_ref().fields();
      if (fields.size() != 2 || !fields[0].has_string() || !fields[1].has_string()) return;
      texts.push_back(quote_ident(fields[0].string().sval()) + "." + quote_ident(fields[1].string().sval()));
    } else {
      return;
    }
    node = column(static_cast<int>(texts.size()) - 1);
  });
  if (is_column(general)) return texts.front();
  return Memo::of_thread().get(general)->fill([&](int param) { return texts.at(static_cast<std::size_t>(param - 1)); });
}

std::string deparse_from_item(const Node& item) {
  SelectStmt select;
  select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
  select.set_op(pg_query::SETOP_NONE);
  *select.add_from_clause() = item;
  std::string sql = deparse_select(select);
  constexpr std::string_view kPrefix = "SELECT FROM ";
  if (sql.rfind(kPrefix, 0) != 0) throw std::logic_error("unexpected deparse of a FROM item: " + sql);
  return sql.substr(kPrefix.size());
}

std::string deparse_select(const SelectStmt& select) {
  SelectStmt folded = select;
  clear_locations(folded);
  fold(folded);
  Writer writer(folded);
  return writer.marks().split(writer.statement(folded)).fill([](int param) { return "$" + std::to_string(param); });
}

namespace {

/// $n stands for a column of an operator; people do not know which. By hand: std::regex recurses for each digit.
std::string without_positions(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size() && shown.size() <= kFragment;) {
    const auto end = text[i] == '$' ? std::min(text.find_first_not_of("0123456789", i + 1), text.size()) : i + 1;
    shown += end == i + 1 ? std::string_view(&text[i], 1) : "...";
    i = end;
  }
  return shown;
}

}  // namespace

std::string fragment(const Node& expr) {
  constexpr std::size_t kPrefix = 7;  // "SELECT "
  const std::string text = any_text(select_of(expr)).value_or("");
  if (text.size() < kPrefix) return {};
  return one_line(without_positions(std::string_view(text).substr(kPrefix)), kFragment);
}

std::string fragment(const SelectStmt& select) {
  return one_line(any_text(select).value_or(""), kFragment);
}

}  // namespace pgtrickle::compiler
