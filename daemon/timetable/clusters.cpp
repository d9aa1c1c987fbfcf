#include "timetable/clusters.h"

#include <algorithm>
#include <numeric>

namespace pgtrickle::scheduler {
namespace {

// A set of small numbers.
class Bits {
 public:
  explicit Bits(std::size_t size) : words_((size + 63) / 64) {}
  void set(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  [[nodiscard]] bool test(std::size_t i) const { return ((words_[i / 64] >> (i % 64)) & 1U) != 0; }
  void add(const Bits& other) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  [[nodiscard]] bool meets(const Bits& other) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if ((words_[i] & other.words_[i]) != 0) return true;
    }
    return false;
  }

 private:
  std::vector<std::uint64_t> words_;
};

class UnionFind {
 public:
  explicit UnionFind(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0); }
  std::size_t find(std::size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void join(std::size_t a, std::size_t b) { parent_[std::max(find(a), find(b))] = std::min(find(a), find(b)); }

 private:
  std::vector<std::size_t> parent_;
};

class Clusters {
 public:
  Clusters(const Dag& dag, const std::vector<TableId>& tables, const ClusterRules& rules)
      : dag_(dag), tables_(tables), rules_(rules), sets_(tables.size()) {
    for (std::size_t i = 0; i < tables.size(); ++i) index_[tables[i]] = i;
  }

  std::vector<Cluster> make() {
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      for (const TableId other : dag_.cycle(tables_[i])) sets_.join(i, index_.at(other));
    }
    for (const auto& group : rules_.groups) join_group(group);
    join_diamonds();
    return close_circles();
  }

 private:
  void join_group(const std::vector<TableId>& group) {
    std::optional<std::size_t> first;
    for (const TableId id : group) {
      const auto found = index_.find(id);
      if (found == index_.end()) continue;
      if (first) sets_.join(*first, found->second);
      if (!first) first = found->second;
    }
  }

  // Nodes of ancestor sets: the tables, then their sources.
  void join_diamonds() {
    std::map<SourceId, std::size_t> source_index;
    for (const TableId id : tables_) {
      for (const SourceId source : rules_.sources(id)) {
        source_index.try_emplace(source, tables_.size() + source_index.size());
      }
    }
    const std::size_t nodes = tables_.size() + source_index.size();
    ancestors_.assign(nodes, Bits(nodes));  // each with itself
    for (std::size_t i = tables_.size(); i < nodes; ++i) ancestors_[i].set(i);
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      std::vector<std::size_t> inputs;
      for (const TableId up : dag_.upstream(tables_[i])) inputs.push_back(index_.at(up));
      for (const SourceId source : rules_.sources(tables_[i])) inputs.push_back(source_index.at(source));
      ancestors_[i].set(i);
      for (const std::size_t input : inputs) ancestors_[i].add(ancestors_[input]);
      if (!dag_.cycle(tables_[i]).empty() || !rules_.atomic_diamond(tables_[i])) continue;
      for (std::size_t a = 0; a < inputs.size(); ++a) {
        for (std::size_t b = a + 1; b < inputs.size(); ++b) join_diamond(i, inputs[a], inputs[b]);
      }
    }
  }

  void join_diamond(std::size_t last, std::size_t a, std::size_t b) {
    if (!ancestors_[a].meets(ancestors_[b])) return;
    std::vector<std::size_t> common;
    for (std::size_t i = 0; i < ancestors_.size(); ++i) {
      if (ancestors_[a].test(i) && ancestors_[b].test(i)) common.push_back(i);
    }
    Bits nearest(ancestors_.size());
    for (const std::size_t i : common) {
      const bool has_nearer = std::any_of(common.begin(), common.end(), [&](std::size_t other) {
        return other != i && ancestors_[other].test(i) && !ancestors_[i].test(other);
      });
      if (!has_nearer) nearest.set(i);
    }
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      const bool on_a_way = ancestors_[a].test(i) || ancestors_[b].test(i);
      if (on_a_way && !nearest.test(i) && ancestors_[i].meets(nearest)) sets_.join(last, i);
    }
  }

  // Sets that read each other become one; what is left has an order.
  std::vector<Cluster> close_circles() {
    std::map<std::size_t, std::size_t> number;  // of a set, in the order of its first table
    for (std::size_t i = 0; i < tables_.size(); ++i) number.try_emplace(sets_.find(i), number.size());
    std::vector<std::vector<std::size_t>> next(number.size());
    std::vector<std::vector<std::size_t>> members(number.size());
    for (std::size_t i = 0; i < tables_.size(); ++i) {
      const std::size_t set = number.at(sets_.find(i));
      members[set].push_back(i);
      for (const TableId down : dag_.downstream(tables_[i])) {
        const std::size_t other = number.at(sets_.find(index_.at(down)));
        if (other != set) next[set].push_back(other);
      }
    }
    std::vector<Cluster> out;
    std::vector<std::size_t> cluster_of(tables_.size());
    for (const auto& circle : strongly_connected(next)) {
      std::vector<std::size_t> all;
      for (const std::size_t set : circle) all.insert(all.end(), members[set].begin(), members[set].end());
      std::sort(all.begin(), all.end());
      Cluster cluster;
      for (const std::size_t i : all) {
        cluster_of[i] = out.size();
        cluster.tables.push_back(tables_[i]);
      }
      std::set<std::size_t> upstream;
      for (const std::size_t i : all) {
        for (const TableId up : dag_.upstream(tables_[i])) {
          const std::size_t other = cluster_of[index_.at(up)];
          if (other != out.size()) upstream.insert(other);
        }
      }
      cluster.upstream.assign(upstream.begin(), upstream.end());
      out.push_back(std::move(cluster));
    }
    return out;
  }

  const Dag& dag_;
  const std::vector<TableId>& tables_;
  const ClusterRules& rules_;
  std::map<TableId, std::size_t> index_;
  UnionFind sets_;
  std::vector<Bits> ancestors_;
};

}  // namespace

std::vector<Cluster> make_clusters(const Dag& dag, const std::vector<TableId>& tables, const ClusterRules& rules) {
  return Clusters(dag, tables, rules).make();
}

}  // namespace pgtrickle::scheduler
