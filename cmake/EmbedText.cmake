# Turns a text file into a C++ function pgtrickle::install_sql() that returns it. MSVC-style length limits do not apply
# to GCC and Clang, but raw strings are kept in pieces so that diagnostics stay readable.
file(READ ${IN} text)
string(LENGTH "${text}" length)
set(pieces "")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND pieces "    R\"pgtsql(${piece})pgtsql\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE ${OUT} "#include <string_view>\nnamespace pgtrickle {\nstd::string_view install_sql();\nstd::string_view install_sql() {\n  return\n${pieces}    ;\n}\n}  // namespace pgtrickle\n")
