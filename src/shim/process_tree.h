// All processes that descend from this one. The shim is a subreaper: a process whose parent has
// died becomes its child, so that nothing a rank starts can slip away.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace coxswain::shim {

std::vector<pid_t> Descendants();

// Sends `signal` to all of them, this process aside.
void SignalDescendants(int signal);

// Field 22 of /proc/PID/stat; 0 if there is no such process.
uint64_t StartTicks(pid_t pid);

// The machine's boot id, empty where /proc does not tell.
std::string BootId();

// How many processes the kernel has killed for lack of memory: in this process's cgroup where that
// is known, else on this machine.
uint64_t OomKills();

}  // namespace coxswain::shim
