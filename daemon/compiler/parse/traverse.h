// Generic traversal of parse trees: one place that knows how to find the children of any message quickly.
#pragma once

#include <typeinfo>
#include <vector>

#include "pg_query.pb.h"

namespace pgtrickle::compiler {

/// The fields of a message type that traversals are interested in.
struct MessageShape {
  const google::protobuf::Reflection* reflection = nullptr;
  std::vector<const google::protobuf::FieldDescriptor*> children;
  std::vector<const google::protobuf::FieldDescriptor*> locations;  // positions in the text
  std::vector<const google::protobuf::FieldDescriptor*> enums;
};
const MessageShape& shape_of(const google::protobuf::Message& message);

inline bool is_node(const google::protobuf::Message& message) {
  return typeid(message) == typeid(pg_query::Node);  // asking for the descriptor costs a lock's worth of work
}
inline pg_query::Node* as_node(google::protobuf::Message& message) {
  return is_node(message) ? static_cast<pg_query::Node*>(&message) : nullptr;
}

/// The one field that a Node has set, nullptr if none.
const google::protobuf::FieldDescriptor* field_of(const pg_query::Node& node);

/// Calls visit(child, field) for every message directly below; `M` is Message or const Message.
template <typename M, typename Visit>
void for_each_child(M& message, const Visit& visit) {
  const google::protobuf::Reflection* reflection = nullptr;
  const auto at = [&](const auto* field, int i) -> M& {
    if constexpr (std::is_const_v<M>)
      return i < 0 ? reflection->GetMessage(message, field) : reflection->GetRepeatedMessage(message, field, i);
    else
      return i < 0 ? *reflection->MutableMessage(&message, field)
                   : *reflection->MutableRepeatedMessage(&message, field, i);
  };
  if (is_node(message)) {  // a oneof of hundreds of fields: do not look at each of them
    static const auto* of_node = pg_query::Node::GetReflection();
    reflection = of_node;
    const auto* field = field_of(static_cast<const pg_query::Node&>(message));
    if (field != nullptr) visit(at(field, -1), *field);
    return;
  }
  const auto& shape = shape_of(message);
  reflection = shape.reflection;
  for (const auto* field : shape.children) {
    if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(message, field); ++i) visit(at(field, i), *field);
    } else if (reflection->HasField(message, field)) {
      visit(at(field, -1), *field);
    }
  }
}

}  // namespace pgtrickle::compiler
