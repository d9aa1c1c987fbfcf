#include "compiler/parse/pg_query_text.h"

#include <pg_query.h>

#include <memory>
#include <vector>

namespace pgtrickle::compiler {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void clear_locations(Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (field->is_repeated()) {
        for (int i = 0; i < reflection->FieldSize(message, field); ++i)
          clear_locations(*reflection->MutableRepeatedMessage(&message, field, i));
      } else {
        clear_locations(*reflection->MutableMessage(&message, field));
      }
    } else if (field->name() == "location" || field->name() == "stmt_location" || field->name() == "stmt_len") {
      reflection->ClearField(&message, field);
    }
  }
}

std::optional<pg_query::ParseResult> text_to_tree(const std::string& sql, std::string* error) {
  PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql.c_str());
  const std::unique_ptr<PgQueryProtobufParseResult, void (*)(PgQueryProtobufParseResult*)> guard(
      &result, [](PgQueryProtobufParseResult* r) { pg_query_free_protobuf_parse_result(*r); });
  if (result.error != nullptr) {
    if (error != nullptr) *error = result.error->message;
    return std::nullopt;
  }
  pg_query::ParseResult tree;
  // Deeply nested expressions: libpg_query bounds the depth by its stack check, protobuf by this limit.
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(result.parse_tree.data),
                                                static_cast<int>(result.parse_tree.len));
  stream.SetRecursionLimit(10000);
  if (!tree.ParseFromCodedStream(&stream)) {
    if (error != nullptr) *error = "it is nested too deeply";
    return std::nullopt;
  }
  clear_locations(tree);
  return tree;
}

std::optional<std::string> tree_to_text(const pg_query::ParseResult& tree) {
  std::string bytes = tree.SerializeAsString();
  PgQueryProtobuf buffer{bytes.size(), bytes.data()};
  PgQueryDeparseResult result = pg_query_deparse_protobuf(buffer);
  const std::unique_ptr<PgQueryDeparseResult, void (*)(PgQueryDeparseResult*)> guard(
      &result, [](PgQueryDeparseResult* r) { pg_query_free_deparse_result(*r); });
  if (result.error != nullptr) return std::nullopt;
  return std::string(result.query);
}

}  // namespace pgtrickle::compiler
