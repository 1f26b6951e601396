// The whole of `cox` but main().
#pragma once

namespace coxswain::cli::verbs {

// Reads the command line, runs the verb, returns the exit code.
int RunCox(int argc, const char* const* argv);

}  // namespace coxswain::cli::verbs
