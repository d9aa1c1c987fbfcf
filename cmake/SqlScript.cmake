# The SQL of the extension lives in sql/, one file per concern, in the order of their names. The same text becomes the
# extension script (ext-min/Makefile) and a string inside the command line tool (pgtrickle install).
file(GLOB PGTRICKLE_SQL_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/*.sql)
list(SORT PGTRICKLE_SQL_FILES)
set(PGTRICKLE_INSTALL_SQL ${CMAKE_BINARY_DIR}/generated/install.sql)
add_custom_command(
  OUTPUT ${PGTRICKLE_INSTALL_SQL}
  COMMAND ${CMAKE_COMMAND} -E cat ${PGTRICKLE_SQL_FILES} > ${PGTRICKLE_INSTALL_SQL}
  DEPENDS ${PGTRICKLE_SQL_FILES} VERBATIM)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/generated/install_sql.cpp
  COMMAND ${CMAKE_COMMAND} -DIN=${PGTRICKLE_INSTALL_SQL} -DOUT=${CMAKE_BINARY_DIR}/generated/install_sql.cpp
          -P ${CMAKE_SOURCE_DIR}/cmake/EmbedText.cmake
  DEPENDS ${PGTRICKLE_INSTALL_SQL} ${CMAKE_SOURCE_DIR}/cmake/EmbedText.cmake VERBATIM)
