// The views of this benchmark, and the forms that each exists in while it is measured: a database per form, with the
// same orders and customers, so that the writes of one form cost the others nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "processor_time.h"
#include "support/database.h"

namespace pgt::bench::immediate {

struct View {
  std::string name;
  std::string query;
  std::string key;  // of the result
};

const std::vector<View>& views();

enum class Kind { kNone, kOurs, kPgIvm, kByHand };

/// Whether this server has the extension pg_ivm, with its version; empty: not.
std::string pg_ivm_version();

/// A database with the sources, and one session that writes.
class Form {
 public:
  Form(Kind kind, int count, long orders);

  [[nodiscard]] Kind kind() const { return kind_; }
  /// How many tables follow the sources.
  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] std::string label() const;
  [[nodiscard]] const std::string& dsn() const { return db_.dsn(); }
  test::Session& session() { return session_; }
  [[nodiscard]] double processor_now() const { return processor_.now(); }

  /// Puts the view on, as often as count() says. False if this form cannot have it; why() says why.
  bool put_on(const View& view);
  void take_off(const View& view);
  [[nodiscard]] const std::string& why() const { return why_; }
  /// How many rows of all tables of the view differ from its query, both ways.
  long differing_rows(const View& view);

 private:
  void create(const View& view, const std::string& table);

  Kind kind_;
  int count_;
  test::TestDatabase db_;
  test::Session session_;
  ProcessorTime processor_;
  std::string why_;
};

}  // namespace pgt::bench::immediate
