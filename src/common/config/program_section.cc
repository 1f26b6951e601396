#include "common/config/program_section.h"
#include "common/config/quantities.h"

namespace coxswain::config {
namespace {

constexpr size_t kMostArguments = 1000;
constexpr size_t kMostBytes = 128 << 10;  // of one argument, as Linux has it
constexpr char kExpected[] =
    "a program and its arguments, such as [python3, train.py, --epochs, '3'], or one text for "
    "/bin/sh";

std::string WrongArgument(const std::string& argument) {
  if (argument.size() >= kMostBytes) {
    return "an argument of " + std::to_string(argument.size()) + " bytes; at most " +
           std::to_string(kMostBytes - 1) + " are taken";
  }
  return "";
}

}  // namespace

void ReadProgram(Section& in, Program* out) {
  in.Command("command", kMostArguments, kExpected, &out->command);
  for (const std::string& argument : out->command) {
    if (const std::string wrong = WrongArgument(argument); !wrong.empty()) {
      in.Wrong("command", "found " + wrong);
    }
  }
  if (in.Text("working_dir", "an absolute path such as /data/experiment", &out->working_dir) &&
      !out->working_dir.starts_with('/')) {
    in.Wrong("working_dir", "found " + Quoted(out->working_dir) +
                                ", expected an absolute path: it is one on the workers' machines");
  }
  const bool own = in.Has("command");
  if (!own && in.Has("working_dir")) in.Wrong("working_dir", "needs spec.command");
  for (const char* key : {"model", "data", "train"}) {
    if (own && in.Has(key)) {
      in.Wrong(key, "belongs to recipes, but the job has a program of its own (spec.command)");
    }
  }
}

}  // namespace coxswain::config
