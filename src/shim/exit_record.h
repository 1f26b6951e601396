// The exit record on disk.
#pragma once

#include <string>

#include "common/base/shim_protocol.h"

namespace coxswain::shim {

// Takes room for the record before the rank runs, so that a full disk cannot swallow it.
void ReserveExitRecord();

// Writes the record into the current folder: file and folder are synced, and the name is there only
// when the record is complete. Empty on success, else what failed.
std::string WriteExitRecord(const base::ShimExit& exit);

// The current folder has been removed: nothing written into it can be found again.
bool FolderIsGone();

// Writes a small file at once or not at all; not synced. Empty on success, else what failed.
std::string WriteSmallFile(const std::string& name, const std::string& text);

}  // namespace coxswain::shim
