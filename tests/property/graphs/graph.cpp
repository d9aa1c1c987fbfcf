#include "property/graphs/graph.h"

#include <algorithm>
#include <numeric>

#include "property/random.h"

namespace pgt::graphs {
namespace {

using property::Random;

constexpr int kRunMs = 4000;  // of writers and events
constexpr int kLongestWait = 600;
constexpr double kLargest = 1500;  // rows of a stream table, as estimated here: all must stay cheap

const std::vector<std::string> kSchedules{"30 ms", "50 ms", "80 ms", "120 ms", "200 ms", "300 ms", "continuous"};

struct Input {
  std::string name;
  bool base = false;
  std::size_t number = 0;  // of the base table or the stream table
  double rows = 0;
};

class Maker {
 public:
  Maker(std::uint64_t seed, bool mixed) : random_(seed), mixed_(mixed) { case_.seed = seed; }

  Case make() {
    bases();
    int left = random_.between(5, 25);
    while (left > 0) {
      const int size = left <= 7 || random_.chance(35) ? left : random_.between(4, left - 3);
      graph(size);
      left -= size;
    }
    components();
    schedules();
    writers();
    events();
    if (mixed_) modes();
    return std::move(case_);
  }

 private:
  std::string number(int low, int high) { return std::to_string(random_.between(low, high)); }

  void bases() {
    case_.bases = static_cast<std::size_t>(random_.between(3, 6));
    case_.setup.emplace_back("CREATE SEQUENCE ids START 1000");
    for (std::size_t b = 0; b < case_.bases; ++b) {
      const int rows = random_.between(40, 150);
      case_.setup.push_back("CREATE TABLE " + base_name(b) + " (id int PRIMARY KEY, k int, v bigint NOT NULL)");
      case_.setup.push_back("INSERT INTO " + base_name(b) +
                            " SELECT i, i % 10, i * 37 % 1009 FROM generate_series(1, " + std::to_string(rows) +
                            ") AS i");
      inputs_.push_back({base_name(b), true, b, static_cast<double>(rows)});
    }
  }

  const Input& any_base() { return inputs_[random_.below(case_.bases)]; }
  /// The stream table `number`.
  const Input& table(std::size_t number) { return inputs_[case_.bases + number]; }

  void graph(int size) {
    const std::size_t first = case_.tables.size();
    const std::size_t count = static_cast<std::size_t>(size);
    const auto add_on = [&](std::vector<Input> on) {
      if (on.empty() || random_.chance(25)) on.push_back(any_base());
      add(std::move(on));
    };
    const auto own = [&](std::size_t from, std::size_t to, int most) {  // 1 to `most` of the tables in [from, to)
      std::vector<Input> on;
      for (int n = random_.between(1, most); n > 0; --n) on.push_back(table(from + random_.below(to - from)));
      return on;
    };
    switch (random_.below(5)) {
      case 0:  // chain
        for (std::size_t i = 0; i < count; ++i) {
          add_on(i == 0 ? std::vector<Input>{} : std::vector<Input>{table(first + i - 1)});
        }
        break;
      case 1: {  // diamonds, each on the one before
        std::size_t bottom = first;
        add_on({});
        while (case_.tables.size() < first + count) {
          const std::size_t side = case_.tables.size();
          const std::size_t room = first + count - side;
          const std::size_t sides = std::min<std::size_t>(room, static_cast<std::size_t>(random_.between(2, 4)));
          for (std::size_t i = 0; i < sides; ++i) add_on({table(bottom)});
          if (room == sides) break;
          std::vector<Input> on;
          for (std::size_t i = 0; i < sides; ++i) on.push_back(table(side + i));
          bottom = case_.tables.size();
          add(std::move(on));
        }
        break;
      }
      case 2:  // wide
        for (std::size_t i = 0; i < count; ++i) add_on(i == 0 ? std::vector<Input>{} : own(first, first + 1, 1));
        break;
      case 3: {  // layers
        const std::size_t width = std::max<std::size_t>(1, count / static_cast<std::size_t>(random_.between(2, 4)));
        for (std::size_t i = 0; i < count; ++i) {
          const std::size_t layer = i / width;
          add_on(layer == 0 ? std::vector<Input>{}
                            : own(first + (layer - 1) * width, first + layer * width, random_.between(1, 3)));
        }
        break;
      }
      default:
        for (std::size_t i = 0; i < count; ++i) {
          add_on(i == 0 || random_.chance(20) ? std::vector<Input>{} : own(first, first + i, random_.between(1, 3)));
        }
    }
  }

  /// A stream table that reads all of `on`.
  void add(std::vector<Input> on) {
    Table made;
    made.name = "t" + std::to_string(case_.tables.size());
    Input as_input{made.name, false, case_.tables.size(), 0};
    random_.shuffle(on);
    for (const Input& input : on) (input.base ? made.bases : made.tables).insert(input.number);
    made.query = query(on, as_input.rows);
    inputs_.push_back(as_input);
    case_.tables.push_back(std::move(made));
  }

  /// Over the first two inputs, or the first; the others are joined to the result, a row for each key.
  std::string query(const std::vector<Input>& on, double& rows) {
    std::string text = on.size() == 1 ? of_one(on[0], rows) : of_two(on[0], on[1], rows);
    for (std::size_t i = 2; i < on.size(); ++i) {
      text = "SELECT q.k, (q.v + coalesce(x.n, 3)) % 1009 AS v FROM (" + text +
             ") AS q LEFT JOIN (SELECT k, count(*) AS n FROM " + on[i].name + " GROUP BY k) AS x ON x.k = q.k";
    }
    return text;
  }

  std::string of_one(const Input& a, double& rows) {
    rows = a.rows;
    switch (random_.below(6)) {
      case 0:
        rows *= 0.7;
        return "SELECT k, v FROM " + a.name + " WHERE v % 3 <> " + number(0, 2);
      case 1:
        return "SELECT k, (v * " + number(2, 5) + " + 1) % 1009 AS v FROM " + a.name;
      case 2:
        rows = 10;
        return "SELECT k, (sum(v) % 1009)::bigint AS v FROM " + a.name + " GROUP BY k";
      case 3:
        rows = 4;
        return "SELECT k % 4 AS k, count(*) AS v FROM " + a.name + " GROUP BY k % 4";
      case 4:
        rows = 10;
        return "SELECT k, " + std::string(random_.chance(50) ? "max" : "min") + "(v) AS v FROM " + a.name +
               " GROUP BY k";
      default:
        rows = std::min(rows, 200.0);
        return "SELECT DISTINCT k, v % 20 AS v FROM " + a.name;
    }
  }

  std::string of_two(const Input& a, const Input& b, double& rows) {
    rows = a.rows;
    const std::string largest = "(SELECT k, max(v) AS v FROM " + b.name + " GROUP BY k)";
    switch (random_.below(5)) {
      case 0:
        if (a.rows + b.rows <= kLargest) {
          rows += b.rows;
          return "SELECT k, v FROM " + a.name + " UNION ALL SELECT k, v FROM " + b.name;
        }
        [[fallthrough]];
      case 1:
        return "SELECT a.k, (a.v + b.v) % 1009 AS v FROM " + a.name + " AS a JOIN " + largest + " AS b ON b.k = a.k";
      case 2:
        return "SELECT a.k, (a.v + coalesce(b.v, 7)) % 1009 AS v FROM " + a.name + " AS a LEFT JOIN " + largest +
               " AS b ON b.k = a.k";
      case 3:
        return "SELECT a.k, a.v FROM " + a.name + " AS a WHERE " + (random_.chance(50) ? "NOT " : "") +
               "EXISTS (SELECT FROM " + b.name + " AS b WHERE b.k = a.k AND b.v % 7 = " + number(0, 6) + ")";
      default:
        rows = 10;
        if (b.base) {
          return "SELECT a.k, (sum(a.v + b.v) % 1009)::bigint AS v FROM " + a.name + " AS a JOIN " + b.name +
                 " AS b ON b.id = a.v % 60 GROUP BY a.k";
        }
        return "SELECT a.k, (sum(a.v + b.v) % 1009)::bigint AS v FROM " + a.name + " AS a JOIN " + largest +
               " AS b ON b.k = a.k GROUP BY a.k";
    }
  }

  void components() {
    auto& tables = case_.tables;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      tables[i].component = i;
      for (const std::size_t on : tables[i].tables) {
        const std::size_t old = tables[on].component;
        for (std::size_t j = 0; j <= i; ++j) {
          if (tables[j].component == old) tables[j].component = tables[i].component;
        }
      }
    }
    std::vector<std::size_t> numbers(tables.size(), tables.size());
    for (std::size_t i = 0; i < tables.size(); ++i) {
      std::size_t& number = numbers[tables[i].component];
      if (number == tables.size()) {
        number = case_.components.size();
        case_.components.emplace_back();
      }
      tables[i].component = number;
      case_.components[number].members.push_back(i);
    }
  }

  /// Connects two components.
  void group() {
    const std::size_t first = random_.below(case_.components.size()), second = random_.below(case_.components.size());
    if (first == second) return;
    Component& into = case_.components[first];
    Component& from = case_.components[second];
    for (Component* component : {&into, &from}) {
      for (int n = random_.between(1, 2); n > 0; --n) case_.group.insert(random_.pick(component->members));
    }
    for (const std::size_t member : from.members) case_.tables[member].component = first;
    into.members.insert(into.members.end(), from.members.begin(), from.members.end());
    std::sort(into.members.begin(), into.members.end());
    from.members.clear();
  }

  void schedules() {
    const bool equal = random_.chance(50);
    if (equal && random_.chance(50)) group();
    for (Component& component : case_.components) {
      const std::string& common = random_.pick(kSchedules);
      component.in_step = true;
      for (const std::size_t member : component.members) {
        case_.tables[member].schedule = equal ? common : random_.pick(kSchedules);
        if (case_.tables[member].schedule != case_.tables[component.members[0]].schedule) component.in_step = false;
      }
    }
  }

  std::string change() {
    const std::string base = base_name(random_.below(case_.bases));
    const std::string filter = " WHERE id % " + number(11, 31) + " = " + number(0, 10);
    switch (random_.below(5)) {
      case 0:
      case 1: {
        const int from = random_.between(1, 5000);
        return "INSERT INTO " + base + " SELECT nextval('ids'), " + (random_.chance(10) ? "NULL" : "i % 10") +
               ", i * 31 % 1009 FROM generate_series(" + std::to_string(from) + ", " +
               std::to_string(from + random_.between(0, 4)) + ") AS i";
      }
      case 2:
        return "UPDATE " + base + " SET v = (v + " + number(1, 500) + ") % 1009" + filter;
      case 3:
        return "UPDATE " + base + " SET k = (k + 1) % 10" + filter;
      default:
        return "DELETE FROM " + base + filter;
    }
  }

  void writers() {
    case_.writers.resize(static_cast<std::size_t>(random_.between(2, 3)));
    for (auto& writer : case_.writers) {
      for (int at = 0; at < kRunMs;) {
        Transaction transaction;
        const auto say = [&](int pause_ms, std::string sql) {
          at += pause_ms;
          transaction.statements.push_back({pause_ms, std::move(sql)});
        };
        say(random_.between(0, 150), random_.chance(20) ? "BEGIN ISOLATION LEVEL REPEATABLE READ" : "BEGIN");
        for (int n = random_.between(1, 4); n > 0; --n) {
          const bool undone = random_.chance(8);
          if (undone) say(0, "SAVEPOINT undone");
          say(random_.chance(30) ? random_.between(1, 40) : 0, change());
          if (undone) say(0, "ROLLBACK TO SAVEPOINT undone");
        }
        say(random_.chance(15) ? random_.between(50, kLongestWait) : 0, random_.chance(10) ? "ROLLBACK" : "COMMIT");
        at += 3;  // the work itself
        writer.push_back(std::move(transaction));
      }
    }
  }

  void events() {
    for (int n = random_.between(1, 4); n > 0; --n) {
      Event event;
      event.kind = random_.chance(70) ? Event::Kind::kKill : Event::Kind::kTerminate;
      event.at_ms = random_.between(0, kRunMs);
      event.lasts_ms = random_.chance(50) ? 0 : random_.between(1, 400);
      case_.events.push_back(event);
    }
    // Half of the cases have none of these: they disturb what the components promise for a while.
    for (int n = random_.chance(50) ? 0 : random_.between(1, 3); n > 0; --n) {
      Event event;
      event.table = random_.below(case_.tables.size());
      event.at_ms = random_.between(0, kRunMs * 3 / 4);
      switch (random_.below(5)) {
        case 0:
          event.kind = Event::Kind::kPause;
          event.lasts_ms = random_.between(50, 800);
          break;
        case 1:
          event.kind = Event::Kind::kAlter;
          event.schedule = random_.pick(kSchedules);
          break;
        case 2:
          event.kind = Event::Kind::kGate;
          event.table = random_.below(case_.bases);
          event.lasts_ms = random_.between(50, 800);
          break;
        case 3:
          event.kind = Event::Kind::kHalt;
          event.lasts_ms = random_.between(50, 400);
          break;
        default:
          event.kind = Event::Kind::kRecreate;
          while (!readers(case_, event.table).empty()) event.table = readers(case_, event.table).front();
          if (case_.group.contains(event.table)) continue;  // it would not be in the group any more
      }
      case_.events.push_back(event);
    }
    std::stable_sort(case_.events.begin(), case_.events.end(),
                     [](const Event& a, const Event& b) { return a.at_ms < b.at_ms; });
  }

  void modes() {
    const int percent = random_.chance(20) ? 100 : random_.between(20, 70);
    std::set<std::size_t> touched;
    for (std::size_t i = 0; i < case_.tables.size(); ++i) {
      case_.tables[i].immediate = random_.chance(percent);
      if (case_.tables[i].immediate) touched.insert(i);
    }
    for (int n = random_.between(0, 3); n > 0; --n) {
      Event event;
      event.kind = Event::Kind::kMode;
      event.table = random_.below(case_.tables.size());
      event.at_ms = random_.between(0, kRunMs * 3 / 4);
      event.immediate = random_.chance(50);
      touched.insert(event.table);
      case_.events.push_back(event);
    }
    std::stable_sort(case_.events.begin(), case_.events.end(),
                     [](const Event& a, const Event& b) { return a.at_ms < b.at_ms; });
    // What is IMMEDIATE is ahead of what waits for a refresh.
    for (const std::size_t i : touched) case_.components[case_.tables[i].component].in_step = false;
  }

  Random random_;
  bool mixed_;
  Case case_;
  std::vector<Input> inputs_;  // base tables, then stream tables
};

}  // namespace

Case random_case(std::uint64_t seed, bool mixed) {
  return Maker(seed, mixed).make();
}

std::string base_name(std::size_t number) {
  return "b" + std::to_string(number);
}

std::vector<std::size_t> readers(const Case& from, std::size_t table) {
  std::vector<std::size_t> found;
  for (std::size_t i = table + 1; i < from.tables.size(); ++i) {
    if (from.tables[i].tables.contains(table)) found.push_back(i);
  }
  return found;
}

std::set<std::size_t> readers_of_base(const Case& from, std::size_t base) {
  std::set<std::size_t> found;
  for (std::size_t i = 0; i < from.tables.size(); ++i) {
    const auto& on = from.tables[i].tables;
    const bool indirectly = std::any_of(on.begin(), on.end(), [&](std::size_t t) { return found.contains(t); });
    if (indirectly || from.tables[i].bases.contains(base)) found.insert(i);
  }
  return found;
}

std::string to_string(const Event& event, const Case& from) {
  const std::string after = event.lasts_ms > 0 ? ", after " + std::to_string(event.lasts_ms) + " ms " : ", ";
  switch (event.kind) {
    case Event::Kind::kKill:
      return "the daemon is killed" + after + "a new one is started";
    case Event::Kind::kTerminate:
      return "the daemon is stopped" + after + "a new one is started";
    case Event::Kind::kPause:
      return from.tables[event.table].name + " is paused" + after + "resumed";
    case Event::Kind::kAlter:
      return from.tables[event.table].name +
             (from.components[from.tables[event.table].component].in_step ? " and its component get" : " gets") +
             " the schedule " + event.schedule;
    case Event::Kind::kGate:
      return base_name(event.table) + " is gated" + after + "not any more";
    case Event::Kind::kHalt:
      return "the scheduler is paused" + after + "resumed";
    case Event::Kind::kMode:
      return from.tables[event.table].name + " becomes " + (event.immediate ? "IMMEDIATE" : "DIFFERENTIAL");
    case Event::Kind::kRecreate:
      return from.tables[event.table].name + " is dropped and created";
  }
  return {};
}

std::string create_sql(const Table& table) {
  return "SELECT pgtrickle.create_stream_table('" + table.name + "', $$" + table.query + "$$, schedule => '" +
         table.schedule + "', refresh_mode => '" + (table.immediate ? "IMMEDIATE" : "DIFFERENTIAL") + "')";
}

std::string group_sql(const Case& from) {
  if (from.group.size() < 2) return {};
  std::string names;
  for (const std::size_t member : from.group) names += (names.empty() ? "'" : ", '") + from.tables[member].name + "'";
  return "SELECT pgtrickle.create_refresh_group('together', ARRAY[" + names + "])";
}

std::string to_sql(const Case& from) {
  std::string text;
  for (const std::string& sql : from.setup) text += sql + ";\n";
  for (const Table& table : from.tables) text += create_sql(table) + ";\n";
  if (const std::string sql = group_sql(from); !sql.empty()) text += sql + ";\n";
  text += "-- a daemon is running now; then, in parallel:\n";
  for (std::size_t w = 0; w < from.writers.size(); ++w) {
    text += "-- writer " + std::to_string(w) + "\n";
    for (const Transaction& transaction : from.writers[w]) {
      for (const auto& statement : transaction.statements) {
        if (statement.pause_ms > 0) text += "SELECT pg_sleep_for('" + std::to_string(statement.pause_ms) + " ms'); ";
        text += statement.sql + "; ";
      }
      text.back() = '\n';
    }
  }
  text += "-- meanwhile\n";
  for (const Event& event : from.events) {
    text += "-- at " + std::to_string(event.at_ms) + " ms: " + to_string(event, from) + "\n";
  }
  return text;
}

Case without_table(const Case& from, std::size_t table) {
  const auto moved = [table](std::size_t number) { return number > table ? number - 1 : number; };
  Case less = from;
  less.tables.erase(less.tables.begin() + static_cast<std::ptrdiff_t>(table));
  for (Table& other : less.tables) {
    std::set<std::size_t> renumbered;
    for (const std::size_t on : other.tables) renumbered.insert(moved(on));
    other.tables = std::move(renumbered);
  }
  for (Component& component : less.components) {
    std::erase(component.members, table);
    for (std::size_t& member : component.members) member = moved(member);
  }
  // Components keep their numbers, so that those of the tables stay right: one may be empty now.
  std::set<std::size_t> group;
  for (const std::size_t member : from.group) {
    if (member != table) group.insert(moved(member));
  }
  less.group = std::move(group);
  std::erase_if(less.events, [table](const Event& event) { return concerns_table(event) && event.table == table; });
  for (Event& event : less.events) {
    if (concerns_table(event)) event.table = moved(event.table);
  }
  return less;
}

}  // namespace pgt::graphs
