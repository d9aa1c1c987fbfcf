#include "planner/atomic_sets.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <unordered_map>

namespace pgtrickle::planner {
namespace {

// A set of small numbers.
class Bits {
 public:
  explicit Bits(std::size_t size = 0) : words_((size + 63) / 64) {}
  void set(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  void clear(std::size_t i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }
  void operator|=(const Bits& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  void operator&=(const Bits& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
  }
  void operator-=(const Bits& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
  }
  [[nodiscard]] std::optional<std::size_t> last() const {
    for (std::size_t i = words_.size(); i-- > 0;) {
      if (words_[i] != 0) return i * 64 + 63 - static_cast<std::size_t>(std::countl_zero(words_[i]));
    }
    return std::nullopt;
  }

 private:
  std::vector<std::uint64_t> words_;
};

// Disjoint sets of numbers that know their members.
class Sets {
 public:
  explicit Sets(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0); }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) {
    a = find(a);
    b = find(b);
    if (a == b) return;
    parent_[std::max(a, b)] = std::min(a, b);
    if (!members_.empty()) members_[std::min(a, b)] |= members_[std::max(a, b)];
  }
  void keep_members() {
    members_.assign(parent_.size(), Bits(parent_.size()));
    for (std::size_t i = 0; i < parent_.size(); ++i) members_[find(i)].set(i);
  }
  const Bits& members(std::size_t i) { return members_[find(i)]; }

 private:
  std::vector<std::size_t> parent_;
  std::vector<Bits> members_;
};

class AtomicSets {
 public:
  AtomicSets(const Dag& dag, const std::vector<TableId>& tables, const AtomicSetRules& rules)
      : dag_(dag), tables_(tables), rules_(rules) {
    for (std::size_t i = 0; i < tables.size(); ++i) index_[tables[i]] = i;
  }

  std::vector<AtomicSet> make() {
    number_nodes();
    Sets sets(nodes_);
    for (const auto& group : rules_.groups) join_group(sets, group);
    join_diamonds(sets);
    std::vector<std::size_t> set_of(nodes_);
    for (std::size_t node = 0; node < nodes_; ++node) set_of[node] = sets.find(node);
    for (;;) {
      auto made = close_cycles(set_of);
      if (!split_mixed(made, set_of)) return made;
    }
  }

 private:
  // Nodes are what can be depended on, upstream first: sources that several tables read, then tables. A cycle is one.
  void number_nodes() {
    std::map<SourceId, std::size_t> readers;
    for (const TableId id : tables_) {
      for (const SourceId source : std::set(rules_.sources(id).begin(), rules_.sources(id).end())) ++readers[source];
    }
    std::map<SourceId, std::size_t> node_of_source;
    for (const auto& [source, count] : readers) {
      if (count > 1) node_of_source[source] = nodes_++;
    }
    first_table_ = nodes_;
    node_of_.resize(tables_.size());
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      const auto& cycle = dag_.cycle(tables_[i]);
      const bool continues = i > 0 && std::binary_search(cycle.begin(), cycle.end(), tables_[i - 1]);
      node_of_[i] = continues ? nodes_ - 1 : nodes_++;
    }
    kept_.resize(nodes_);
    for (std::size_t i = 0; i < tables_.size(); ++i) kept_[node_of_[i]] = rules_.kept(tables_[i]);
    domains_.resize(nodes_);
    for (std::size_t i = 0; i < tables_.size(); ++i) domains_[node_of_[i]] = dag_.domain(tables_[i]);
    inputs_.resize(nodes_);
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      auto& inputs = inputs_[node_of_[i]];
      for (const TableId up : dag_.upstream(tables_[i])) {
        const std::size_t node = node_of_[index_.at(up)];
        inputs.insert(node);
        // It comes before: what it reads has its inputs by now.
        if (kept_[node]) inputs.insert(inputs_[node].begin(), inputs_[node].end());
      }
      for (const SourceId source : rules_.sources(tables_[i])) {
        if (const auto node = node_of_source.find(source); node != node_of_source.end()) inputs.insert(node->second);
      }
      inputs.erase(node_of_[i]);
    }
    for (std::size_t node = 0; node < nodes_; ++node) {
      if (kept_[node]) inputs_[node].clear();
    }
  }

  /// Something that is refreshed, in contrast to a source.
  [[nodiscard]] bool is_refreshed(std::size_t node) const { return node >= first_table_ && !kept_[node]; }

  void join_group(Sets& sets, const std::vector<TableId>& group) const {
    std::map<Domain, std::size_t> first;
    for (const TableId id : group) {
      const auto found = index_.find(id);
      if (found == index_.end()) continue;
      const std::size_t node = node_of_[found->second];
      if (kept_[node]) continue;
      sets.join(first.try_emplace(domains_[node], node).first->second, node);
    }
  }

  void join_diamonds(Sets& sets) const {
    std::vector<std::size_t> lasts;  // where a diamond may end
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      if (inputs_[node_of_[i]].size() > 1 && dag_.cycle(tables_[i]).empty() && rules_.atomic_diamond(tables_[i]))
        lasts.push_back(node_of_[i]);
    }
    if (lasts.empty()) return;
    sets.keep_members();
    std::vector<Bits> ancestors(nodes_, Bits(nodes_));    // each with itself
    std::vector<Bits> descendants(nodes_, Bits(nodes_));  // each without
    for (std::size_t node = 0; node < nodes_; ++node) {
      ancestors[node].set(node);
      for (const std::size_t input : inputs_[node]) ancestors[node] |= ancestors[input];
    }
    for (std::size_t node = nodes_; node-- > 0;) {
      for (const std::size_t input : inputs_[node]) {
        descendants[input] |= descendants[node];
        descendants[input].set(node);
      }
    }
    for (const std::size_t last : lasts) {
      Bits members(nodes_);
      for (auto a = inputs_[last].begin(); a != inputs_[last].end(); ++a) {
        for (auto b = std::next(a); b != inputs_[last].end(); ++b) {
          Bits below(nodes_);  // the nearest common ancestors
          Bits common = ancestors[*a];
          common &= ancestors[*b];
          for (auto nearest = common.last(); nearest; nearest = common.last()) {
            common -= ancestors[*nearest];
            below |= descendants[*nearest];
          }
          Bits ways = ancestors[*a];
          ways |= ancestors[*b];
          ways &= below;
          members |= ways;
        }
      }
      members -= sets.members(last);
      for (auto member = members.last(); member; member = members.last()) {
        members.clear(*member);
        if (is_refreshed(*member) && domains_[*member] == domains_[last]) sets.join(last, *member);
      }
    }
  }

  // Dissolves the sets of atomic sets that have several domains. False: there are none.
  bool split_mixed(const std::vector<AtomicSet>& sets, std::vector<std::size_t>& set_of) const {
    bool split = false;
    for (const AtomicSet& set : sets) {
      const bool mixed =
          std::any_of(set.tables.begin(), set.tables.end(), [&](TableId id) { return dag_.domain(id) != set.domain; });
      if (!mixed) continue;
      for (const TableId id : set.tables) {
        const std::size_t node = node_of_[index_.at(id)];
        set_of[node] = node;
      }
      split = true;
    }
    return split;
  }

  // Sets that read each other become one; what is left has an order.
  std::vector<AtomicSet> close_cycles(const std::vector<std::size_t>& set_of) const {
    constexpr std::size_t kNone = static_cast<std::size_t>(-1);
    std::vector<std::size_t> number(nodes_, kNone);  // of a set, in the order of its first table
    std::vector<std::vector<std::size_t>> members;
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      std::size_t& set = number[set_of[node_of_[i]]];
      if (set == kNone) {
        set = members.size();
        members.emplace_back();
      }
      members[set].push_back(i);
    }
    std::vector<std::vector<std::size_t>> next(members.size());
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      const std::size_t set = number[set_of[node_of_[i]]];
      for (const std::size_t input : inputs_[node_of_[i]]) {
        if (!is_refreshed(input)) continue;
        const std::size_t other = number[set_of[input]];
        if (other != set) next[other].push_back(set);
      }
    }
    std::vector<AtomicSet> out;
    std::vector<std::size_t> atomic_set_of(nodes_, kNone);
    for (const auto& cycle : strongly_connected(next)) {
      std::vector<std::size_t> all;
      for (const std::size_t set : cycle) all.insert(all.end(), members[set].begin(), members[set].end());
      std::sort(all.begin(), all.end());
      AtomicSet set;
      for (const std::size_t i : all) {
        atomic_set_of[node_of_[i]] = out.size();
        set.tables.push_back(tables_[i]);
      }
      set.domain = dag_.domain(set.tables.front());
      std::set<std::size_t> upstream;
      for (const std::size_t i : all) {
        for (const std::size_t input : inputs_[node_of_[i]]) {
          if (is_refreshed(input) && atomic_set_of[input] != out.size()) upstream.insert(atomic_set_of[input]);
        }
      }
      set.upstream.assign(upstream.begin(), upstream.end());
      out.push_back(std::move(set));
    }
    return out;
  }

  const Dag& dag_;
  const std::vector<TableId>& tables_;
  const AtomicSetRules& rules_;
  std::unordered_map<TableId, std::size_t> index_;
  std::size_t nodes_ = 0;
  std::size_t first_table_ = 0;                // nodes before are sources
  std::vector<std::size_t> node_of_;           // of a table, by its position
  std::vector<bool> kept_;                     // is a node kept by triggers?
  std::vector<Domain> domains_;                // of a node
  std::vector<std::set<std::size_t>> inputs_;  // of a node
};

}  // namespace

std::vector<AtomicSet> make_atomic_sets(const Dag& dag, const std::vector<TableId>& tables,
                                        const AtomicSetRules& rules) {
  return AtomicSets(dag, tables, rules).make();
}

}  // namespace pgtrickle::planner
