# Everything comes from Debian packages (deploy/install-deps.sh); docs/DEVELOPING.md says why each is here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Protobuf REQUIRED)
find_package(date CONFIG REQUIRED)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(LIBPQXX REQUIRED IMPORTED_TARGET libpqxx)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
find_library(PG_QUERY_LIBRARY NAMES libpg_query.a REQUIRED)
find_path(PG_QUERY_INCLUDE pg_query.h REQUIRED)
find_file(PG_QUERY_PROTO pg_query.proto PATH_SUFFIXES include/pg_query PATHS /usr REQUIRED)

# libpg_query with C++ classes for its parse tree: a target of its own, since the generated file compiles for a minute.
set(PG_QUERY_GEN ${CMAKE_BINARY_DIR}/pg_query_proto)
file(MAKE_DIRECTORY ${PG_QUERY_GEN})
get_filename_component(PG_QUERY_PROTO_DIR ${PG_QUERY_PROTO} DIRECTORY)
add_custom_command(
  OUTPUT ${PG_QUERY_GEN}/pg_query.pb.cc ${PG_QUERY_GEN}/pg_query.pb.h
  COMMAND protobuf::protoc --cpp_out=${PG_QUERY_GEN} -I${PG_QUERY_PROTO_DIR} ${PG_QUERY_PROTO}
  DEPENDS ${PG_QUERY_PROTO} VERBATIM)
add_library(pg_query_proto STATIC ${PG_QUERY_GEN}/pg_query.pb.cc ${PG_QUERY_GEN}/pg_query.pb.h)
target_include_directories(pg_query_proto SYSTEM PUBLIC ${PG_QUERY_GEN} ${PG_QUERY_INCLUDE})
target_link_libraries(pg_query_proto PUBLIC protobuf::libprotobuf ${PG_QUERY_LIBRARY} Threads::Threads)
target_compile_options(pg_query_proto PRIVATE -w)
