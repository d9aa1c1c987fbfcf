#include "compiler/parse/pg_query_text.h"

#include <pg_query.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "compiler/parse/traverse.h"

namespace pgtrickle::compiler {

using google::protobuf::Message;

void clear_locations(Message& message) {
  if (!is_node(message)) {
    const auto& shape = shape_of(message);
    for (const auto* field : shape.locations) shape.reflection->ClearField(&message, field);
  }
  for_each_child(message, [](Message& child, const auto&) { clear_locations(child); });
}

namespace {

bool is_level(const Message& message) {
  if (!is_node(message)) return typeid(message) == typeid(pg_query::SelectStmt);
  switch (static_cast<const pg_query::Node&>(message).node_case()) {
    case pg_query::Node::kSelectStmt:  // the statement itself counts
    case pg_query::Node::kRangeSubselect:
    case pg_query::Node::kResTarget:
    case pg_query::Node::kSortBy:
    case pg_query::Node::kCaseWhen:
    case pg_query::Node::kList:
    case pg_query::Node::kString:
      return false;
    default:
      return true;
  }
}

}  // namespace

int nesting(const Message& message, int stop) {
  const int own = is_level(message) ? 1 : 0;
  if (own > stop) return 1;
  int deepest = 0;
  for_each_child(message, [&](const Message& child, const auto&) {
    if (deepest + own <= stop) deepest = std::max(deepest, nesting(child, stop - own));
  });
  return own + deepest;
}

int open_nodes(const std::string& sql) {
  PgQueryScanResult result = pg_query_scan(sql.c_str());
  const std::unique_ptr<PgQueryScanResult, void (*)(PgQueryScanResult*)> guard(
      &result, [](PgQueryScanResult* r) { pg_query_free_scan_result(*r); });
  if (result.error != nullptr) return 0;  // what has no tokens has no tree
  pg_query::ScanResult scan;
  scan.ParseFromArray(result.pbuf.data, static_cast<int>(result.pbuf.len));

  // What stands between brackets is a group, what stands between separators in it a segment. Two tokens are on one path
  // only if they are in one segment, or one is in a group inside the segment of the other, or they chain the whole
  // group from left to right, as UNION and JOIN do. A token makes one node, apart from the few that a group can add
  // regardless of its segments: SELECT, its target, OR, AND, WHEN, a list.
  constexpr int kNodesOfGroup = 6;
  struct Group {
    int chain = kNodesOfGroup;
    int segment = 0;
    int inside = 0;  // the deepest group in the segment
    int deepest = 0;
    int betweens = 0;  // whose AND is still to come
    void end_segment() {
      deepest = std::max(deepest, segment + inside);
      segment = inside = 0;
    }
  };
  std::vector<Group> groups(1);
  const auto close = [&] {
    groups.back().end_segment();
    const int depth = groups.back().chain + groups.back().deepest;
    groups.pop_back();
    groups.back().inside = std::max(groups.back().inside, depth);
  };
  for (const auto& token : scan.tokens()) {
    switch (token.token()) {
      case pg_query::ASCII_40:  // (
      case pg_query::ASCII_91:  // [
      case pg_query::CASE:
        groups.emplace_back();
        break;
      case pg_query::ASCII_41:  // )
      case pg_query::ASCII_93:  // ]
      case pg_query::END_P:
        if (groups.size() > 1) close();
        break;
      case pg_query::BETWEEN:
        ++groups.back().betweens;
        ++groups.back().segment;
        break;
      case pg_query::AND:
        if (groups.back().betweens > 0) {
          --groups.back().betweens;
          break;
        }
        groups.back().end_segment();
        break;
      case pg_query::ASCII_44:  // ,
      case pg_query::OR:
      case pg_query::WHEN:
      case pg_query::THEN:
      case pg_query::ELSE:
        groups.back().end_segment();
        break;
      case pg_query::UNION:
      case pg_query::INTERSECT:
      case pg_query::EXCEPT:
      case pg_query::JOIN:
        ++groups.back().chain;
        break;
      case pg_query::IDENT:
      case pg_query::SCONST:
      case pg_query::ICONST:
      case pg_query::FCONST:
      case pg_query::PARAM:
      case pg_query::ASCII_46:  // .
      case pg_query::AS:
      case pg_query::ON:
        break;  // leaves and the glue between them
      default:
        ++groups.back().segment;
    }
  }
  while (groups.size() > 1) close();
  groups.back().end_segment();
  return groups.back().chain + groups.back().deepest;
}

ParsedText text_to_tree(const std::string& sql) {
  ParsedText parsed;
  const auto too_deep = [&] {
    parsed.error = "it is nested too deeply";
    parsed.nesting = kNestingCeiling + 1;
    return parsed;
  };
  // Every node takes a character at the least.
  if (sql.size() > kMaxOpenNodes && open_nodes(sql) > kMaxOpenNodes) return too_deep();
  PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql.c_str());
  const std::unique_ptr<PgQueryProtobufParseResult, void (*)(PgQueryProtobufParseResult*)> guard(
      &result, [](PgQueryProtobufParseResult* r) { pg_query_free_protobuf_parse_result(*r); });
  if (result.error != nullptr) {
    parsed.error = result.error->message;
    return parsed;
  }
  pg_query::ParseResult tree;
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(result.parse_tree.data),
                                                static_cast<int>(result.parse_tree.len));
  stream.SetRecursionLimit(3 * kMaxOpenNodes);
  if (!tree.ParseFromCodedStream(&stream)) return too_deep();
  parsed.nesting = nesting(tree, kNestingCeiling);
  if (parsed.nesting > kNestingCeiling) return too_deep();
  clear_locations(tree);
  parsed.tree = std::move(tree);
  return parsed;
}

std::optional<std::string> tree_to_text(const pg_query::ParseResult& tree) {
  if (nesting(tree, kNestingCeiling) > kNestingCeiling) return std::nullopt;
  std::string bytes = tree.SerializeAsString();
  PgQueryProtobuf buffer{bytes.size(), bytes.data()};
  PgQueryDeparseResult result = pg_query_deparse_protobuf(buffer);
  const std::unique_ptr<PgQueryDeparseResult, void (*)(PgQueryDeparseResult*)> guard(
      &result, [](PgQueryDeparseResult* r) { pg_query_free_deparse_result(*r); });
  if (result.error != nullptr) return std::nullopt;
  return std::string(result.query);
}

}  // namespace pgtrickle::compiler
