// Other processes, never touched before it is certain that they are who they were.
#pragma once

#include <string>

#include "common/base/shim_protocol.h"

namespace coxswain::worker::process {

// Empty where /proc does not tell.
std::string MachineBootId();

// True if that very process lives: same boot, same number, same start.
bool Lives(const base::ProcessIdentity& identity, const std::string& boot_id);

// SIGKILL to the process, if it lives, and to what is left of its session.
void KillRemnants(const base::ProcessIdentity& identity, const std::string& boot_id);

}  // namespace coxswain::worker::process
