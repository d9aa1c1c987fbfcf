#include "planner/dag.h"

#include <algorithm>

namespace pgtrickle::planner {
namespace {

void insert_sorted(std::vector<TableId>& ids, TableId id) {
  const auto place = std::lower_bound(ids.begin(), ids.end(), id);
  if (place == ids.end() || *place != id) ids.insert(place, id);
}

void erase_sorted(std::vector<TableId>& ids, TableId id) {
  const auto place = std::lower_bound(ids.begin(), ids.end(), id);
  if (place != ids.end() && *place == id) ids.erase(place);
}

}  // namespace

// Tarjan's algorithm without recursion: a chain of stream tables can be long.
std::vector<std::vector<std::size_t>> strongly_connected(const std::vector<std::vector<std::size_t>>& next) {
  constexpr std::size_t kUnseen = static_cast<std::size_t>(-1);
  struct Frame {
    std::size_t node, edge;
  };
  std::vector<std::size_t> index(next.size(), kUnseen), low(next.size(), 0), stack;
  std::vector<bool> on_stack(next.size(), false);
  std::vector<std::vector<std::size_t>> out;
  std::size_t counter = 0;
  for (std::size_t start = next.size(); start-- > 0;) {
    if (index[start] != kUnseen) continue;
    std::vector<Frame> frames{{start, 0}};
    while (!frames.empty()) {
      const std::size_t node = frames.back().node;
      if (frames.back().edge == 0) {
        index[node] = low[node] = counter++;
        stack.push_back(node);
        on_stack[node] = true;
      }
      bool descended = false;
      while (frames.back().edge < next[node].size()) {
        const std::size_t to = next[node][frames.back().edge++];
        if (index[to] == kUnseen) {
          frames.push_back({to, 0});
          descended = true;
          break;
        }
        if (on_stack[to]) low[node] = std::min(low[node], index[to]);
      }
      if (descended) continue;
      if (low[node] == index[node]) {
        std::vector<std::size_t> members;
        for (std::size_t member = kUnseen; member != node;) {
          member = stack.back();
          stack.pop_back();
          on_stack[member] = false;
          members.push_back(member);
        }
        std::sort(members.begin(), members.end());
        out.push_back(std::move(members));
      }
      frames.pop_back();
      if (!frames.empty()) low[frames.back().node] = std::min(low[frames.back().node], low[node]);
    }
  }
  std::reverse(out.begin(), out.end());  // Tarjan finds what comes last first
  return out;
}

Dag::Dag(const std::vector<TableId>& tables, const std::vector<Edge>& edges) {
  std::map<TableId, std::vector<TableId>> upstream;
  for (const TableId id : tables) upstream[id];
  for (const Edge& edge : edges) {
    if (const auto found = upstream.find(edge.downstream); found != upstream.end())
      found->second.push_back(edge.upstream);
  }
  std::vector<Change> changes;
  for (auto& [id, reads] : upstream) changes.push_back({.id = id, .upstream = std::move(reads)});
  apply(changes);
}

void Dag::unlink(TableId id) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return;
  for (const TableId up : found->second.upstream) erase_sorted(nodes_.at(up).downstream, id);
  found->second.upstream.clear();
  for (const TableId up : reads_[id]) read_by_[up].erase(id);
}

void Dag::link(TableId id) {
  Node& node = nodes_[id];
  node.reads_itself = false;
  for (const TableId up : reads_[id]) {
    read_by_[up].insert(id);
    if (up == id) {
      node.reads_itself = true;
    } else if (const auto found = nodes_.find(up); found != nodes_.end()) {
      insert_sorted(node.upstream, up);
      insert_sorted(found->second.downstream, id);
    }
  }
  for (const TableId down : read_by_[id]) {  // declared before this table was here
    if (down == id) continue;
    insert_sorted(nodes_.at(down).upstream, id);
    insert_sorted(node.downstream, down);
  }
}

// As declared: with edges that were cut.
template <class Use>
void Dag::for_each_neighbour(TableId id, Use use) const {
  for (const auto* side : {&reads_, &read_by_}) {
    const auto found = side->find(id);
    if (found == side->end()) continue;
    for (const TableId other : found->second) {
      if (other != id && nodes_.contains(other)) use(other);
    }
  }
}

std::set<TableId> Dag::apply(const std::vector<Change>& changes) {
  std::set<TableId> changed;  // components
  std::set<TableId> fresh;
  const auto touch = [&](TableId id) {
    const auto found = nodes_.find(id);
    if (found != nodes_.end() && !fresh.contains(id)) changed.insert(found->second.component);
  };
  for (const Change& change : changes) {
    touch(change.id);
    if (!change.upstream) {
      const auto found = nodes_.find(change.id);
      if (found == nodes_.end()) continue;
      unlink(change.id);
      for (const TableId down : found->second.downstream) erase_sorted(nodes_.at(down).upstream, change.id);
      nodes_.erase(found);
      reads_.erase(change.id);
      fresh.erase(change.id);
      continue;
    }
    if (!nodes_.contains(change.id)) fresh.insert(change.id);
    unlink(change.id);
    reads_[change.id] = {change.upstream->begin(), change.upstream->end()};
    link(change.id);
    nodes_.at(change.id).domain = change.domain;
    for_each_neighbour(change.id, touch);
  }

  std::set<TableId> affected = fresh;
  for (const TableId component : changed) {
    const auto found = components_.find(component);
    if (found == components_.end()) continue;
    for (const TableId id : found->second) {
      if (nodes_.contains(id)) affected.insert(id);
    }
    components_.erase(found);
  }
  std::set<TableId> unseen = affected;
  while (!unseen.empty()) {
    std::vector<TableId> component{*unseen.begin()};
    unseen.erase(unseen.begin());
    for (std::size_t i = 0; i < component.size(); ++i) {
      for_each_neighbour(component[i], [&](TableId next) {
        if (unseen.erase(next) == 1) component.push_back(next);
      });
    }
    std::sort(component.begin(), component.end());
    for (const TableId id : component) link(id);  // what was cut may be no cycle any more
    arrange(component);
  }
  return affected;
}

void Dag::arrange(const std::vector<TableId>& component) {
  const auto index_of = [&](TableId id) {
    return static_cast<std::size_t>(std::lower_bound(component.begin(), component.end(), id) - component.begin());
  };
  std::vector<std::vector<std::size_t>> next(component.size());
  for (std::size_t i = 0; i < component.size(); ++i) {
    for (const TableId down : nodes_.at(component[i]).downstream) next[i].push_back(index_of(down));
  }
  const auto cycles = strongly_connected(next);
  std::vector<std::vector<TableId>> named;
  for (const auto& members : cycles) {
    auto& ids = named.emplace_back();
    for (const std::size_t member : members) ids.push_back(component[member]);
  }
  if (cut_cycles(named)) return arrange(component);

  std::vector<TableId> order;
  for (const auto& members : cycles) {
    std::shared_ptr<std::vector<TableId>> cycle;
    if (members.size() > 1 || nodes_.at(component[members.front()]).reads_itself)
      cycle = std::make_shared<std::vector<TableId>>();
    for (const std::size_t member : members) {
      const TableId id = component[member];
      if (cycle) cycle->push_back(id);
      Node& node = nodes_.at(id);
      node.component = component.front();
      node.rank = order.size();
      node.cycle = cycle;
      order.push_back(id);
    }
  }
  components_[component.front()] = std::move(order);
}

// Takes edges between domains out of cycles that have several. False: there are none.
bool Dag::cut_cycles(const std::vector<std::vector<TableId>>& cycles) {
  bool cut = false;
  for (const auto& members : cycles) {
    const std::set<TableId> cycle(members.begin(), members.end());
    for (const TableId id : members) {
      Node& node = nodes_.at(id);
      const std::vector<TableId> upstream = node.upstream;
      for (const TableId up : upstream) {
        if (!cycle.contains(up) || nodes_.at(up).domain == node.domain) continue;
        erase_sorted(node.upstream, up);
        erase_sorted(nodes_.at(up).downstream, id);
        cut = true;
      }
    }
  }
  return cut;
}

const std::vector<TableId>& Dag::cycle(TableId id) const {
  static const std::vector<TableId> kNone;
  const auto& cycle = nodes_.at(id).cycle;
  return cycle ? *cycle : kNone;
}

std::vector<TableId> Dag::order() const {
  std::vector<TableId> out;
  for (const auto& [component, tables] : components_) out.insert(out.end(), tables.begin(), tables.end());
  return out;
}

}  // namespace pgtrickle::planner
