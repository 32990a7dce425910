#include "master/store/partitions.h"

#include "common/pg/pg.h"

namespace det::store {

absl::Status EnsurePartitions(const std::string& conninfo, int64_t epoch) {
  return pg::Connection(conninfo).Transact([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch);
    tx.exec("SELECT det_ensure_partitions(now())");
  });
}

}  // namespace det::store
