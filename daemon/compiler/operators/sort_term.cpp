#include "compiler/operators/sort_term.h"

#include "compiler/sql/rows.h"
#include "compiler/sql/sql_text.h"

namespace pgtrickle::compiler {

std::vector<std::string> render_order(const std::vector<SortTerm>& order, const std::string& alias,
                                      const Operator& input) {
  std::vector<std::string> terms;
  for (const auto& term : order) terms.push_back(render_operand(term.expr, alias, input) + term.suffix);
  return terms;
}

std::vector<std::string> tie_breakers(const std::string& alias, const Operator& input) {
  std::vector<std::string> terms;
  for (const auto& col : input.columns())
    for (auto& term : identity_terms(alias + "." + quote_ident(col.name), col.type.value()))
      terms.push_back(std::move(term));
  return terms;
}

}  // namespace pgtrickle::compiler
