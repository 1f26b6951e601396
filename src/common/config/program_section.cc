#include "common/config/program_section.h"

#include <filesystem>

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

// Absolute: on the workers' machines. Relative: a folder of the code, and not out of it.
std::string WrongWorkingDir(const Program& program) {
  const std::string& dir = program.working_dir;
  if (dir.starts_with('/')) return "";
  if (program.code.empty()) {
    return "found " + Quoted(dir) +
           ", expected an absolute path: it is one on the workers' machines (without spec.code)";
  }
  const std::filesystem::path path = std::filesystem::path(dir).lexically_normal();
  if (*path.begin() != "..") return "";
  return "found " + Quoted(dir) + ", which leads out of spec.code";
}

}  // namespace

void ReadProgram(Section& in, const JobSite& site, Program* out) {
  in.Command("command", kMostArguments, kExpected, &out->command);
  for (const std::string& argument : out->command) {
    if (const std::string wrong = WrongArgument(argument); !wrong.empty()) {
      in.Wrong("command", "found " + wrong);
    }
  }
  if (in.Text("code", "a directory such as ./src, packed and shipped with the job", &out->code)) {
    const std::string wrong = site.wrong_code ? site.wrong_code(out->code) : "";
    if (!wrong.empty()) in.Wrong("code", wrong);
  }
  if (in.Text("working_dir", "a path such as /data/experiment", &out->working_dir)) {
    if (std::string wrong = WrongWorkingDir(*out); !wrong.empty()) in.Wrong("working_dir", wrong);
  }
  const bool own = in.Has("command");
  for (const char* key : {"code", "working_dir"}) {
    if (!own && in.Has(key)) in.Wrong(key, "needs spec.command");
  }
  for (const char* key : {"model", "data", "train"}) {
    if (own && in.Has(key)) {
      in.Wrong(key, "belongs to recipes, but the job has a program of its own (spec.command)");
    }
  }
}

}  // namespace coxswain::config
