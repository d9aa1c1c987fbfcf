// Generated PL/pgSQL as text that reads like SQL: a raw string with named placeholders, filled by values.
//
//   fill(R"sql(
//       IF ${changed} THEN
//           PERFORM pgtrickle_state.settle_${id}();
//           ${more}
//       END IF;
//   )sql", {{"changed", gate}, {"id", id_}, {"more", ""}})
//
// The first line and a last one of blanks are not part of it, nor is the margin of the first line of text. A value of
// several lines goes on below the place where it begins; line breaks at its end do not count. A placeholder that
// stands alone on its line takes the line with it if its value is empty. Values are never searched for placeholders.
// A placeholder without a value, or a value without a placeholder, is a mistake in the program: std::logic_error.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pgtrickle::compiler {

using TemplateValues = std::vector<std::pair<std::string, std::string>>;

/// Without a line break at its end.
std::string fill(std::string_view text, const TemplateValues& values);

}  // namespace pgtrickle::compiler
