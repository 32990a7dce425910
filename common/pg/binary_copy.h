#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include <pqxx/pqxx>

// For source files only, as pg.h.
namespace det::pg {

// COPY into a table in PostgreSQL's binary format: no numbers are printed and read again, and bytes
// go as they are. Within a transaction in which something was executed before; nothing else may use
// its connection meanwhile. Throws libpqxx's exceptions. One thread.
class BinaryCopy {
 public:
  // `columns` as in SQL: "a, b".
  BinaryCopy(pqxx::work& tx, std::string_view table, std::string_view columns);
  // Gives up what was not finished.
  ~BinaryCopy();
  BinaryCopy(const BinaryCopy&) = delete;
  BinaryCopy& operator=(const BinaryCopy&) = delete;

  // Begins a row; its fields follow in the columns' order, of the columns' types.
  void Row(int fields);
  void Null();
  void Bool(bool value);
  void Int2(int16_t value);
  void Int4(int32_t value);
  void Int8(int64_t value);
  void Float8(double value);
  void Bytes(std::string_view value);  // bytea, and text that is valid UTF-8 without NUL
  void Jsonb(std::string_view json);
  void Timestamp(absl::Time value);

  // After the last row: whether the server took it all.
  void Finish();

 private:
  template <class T>
  void Put(T value);
  template <class T>
  void Field(T value);
  void Send();

  void* const connection_;  // libpq's
  const std::string command_;
  std::string buffer_;
  bool open_ = false;
};

}  // namespace det::pg
