#include "compiler/parse/traverse.h"

namespace pgtrickle::compiler {

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

/// By the index of the message type in its file.
std::vector<MessageShape> all_shapes() {
  const auto* file = pg_query::Node::descriptor()->file();
  std::vector<MessageShape> shapes(static_cast<std::size_t>(file->message_type_count()));
  for (int m = 0; m < file->message_type_count(); ++m) {
    const Descriptor* type = file->message_type(m);
    auto& shape = shapes[static_cast<std::size_t>(m)];
    shape.reflection = google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->GetReflection();
    for (int f = 0; f < type->field_count(); ++f) {
      const auto* field = type->field(f);
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
        shape.children.push_back(field);
      else if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM && !field->is_repeated())
        shape.enums.push_back(field);
      else if (field->name() == "location" || field->name() == "stmt_location" || field->name() == "stmt_len")
        shape.locations.push_back(field);
    }
  }
  return shapes;
}

}  // namespace

const MessageShape& shape_of(const google::protobuf::Message& message) {
  static const auto shapes = all_shapes();  // never changes: safe to read from all threads
  return shapes.at(static_cast<std::size_t>(message.GetDescriptor()->index()));
}

const FieldDescriptor* field_of(const pg_query::Node& node) {
  static const auto* oneof = pg_query::Node::descriptor()->oneof_decl(0);
  static const auto* reflection = pg_query::Node::GetReflection();
  return reflection->GetOneofFieldDescriptor(node, oneof);
}

}  // namespace pgtrickle::compiler
