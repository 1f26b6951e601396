// The reading side of state.db, on a connection of its own.
#pragma once

#include "coordinator/store/state_store.h"

namespace coxswain::coordinator::store {

absl::StatusOr<std::unique_ptr<StateReader>> NewSqliteStateReader(const std::string& path,
                                                                  const std::string& vfs);

}  // namespace coxswain::coordinator::store
