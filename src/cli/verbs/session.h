// What every verb has at hand: the global flags, the terminals, a client.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cli/output/console.h"
#include "cli/rpc/client.h"
#include "cli/verbs/exit_code.h"

namespace coxswain::cli::verbs {

enum class Format { kTable, kWide, kJson, kYaml };

class Session {
 public:
  Session() : out_(output::DetectTerminal(1)), err_(output::DetectTerminal(2)) {}

  // The global flags, set by the command line.
  std::string server;
  std::string token_file;
  Format format = Format::kTable;
  std::string timeout;  // "30s"; empty: none

  // What the chosen verb will do; set while the command line is read.
  std::function<int()> action;

  const output::Terminal& out() const { return out_; }
  const output::Terminal& err() const { return err_; }
  bool machine_readable() const { return format == Format::kJson || format == Format::kYaml; }
  bool wide() const { return format == Format::kWide; }

  // Call once the flags are read. False, and a line on stderr: --timeout is no duration.
  bool StartTimeout();
  std::optional<rpc::SteadyTime> until() const { return until_; }

  // A client of the coordinator that flags, environment or files name. `on_trouble`: see
  // ClientOptions, as is `patience`; none: a line on stderr each time the text changes. Its calls
  // end with --timeout, and after `at_most` if that is given.
  absl::StatusOr<std::unique_ptr<rpc::Client>> Connect(
      std::function<void(const std::string&)> on_trouble = nullptr,
      std::optional<std::chrono::milliseconds> patience = std::nullopt,
      std::optional<std::chrono::milliseconds> at_most = std::nullopt) const;

  // Prints one line (more if the text has more) to stderr, what to do included; returns the code.
  int Fail(const absl::Status& status, bool submitting = false) const;
  // The JSON text as the user wants it: JSON or YAML.
  void PrintStructured(const std::string& json) const;
  // Ends the program when stdout cannot be written: see CodeAfterOutput.
  void Print(const std::string& text) const;
  // The program's exit code after all output: `code`, or when something could not be written and
  // `code` is success kUnreachable, after a line on stderr, or kBrokenPipe, quietly.
  int CodeAfterOutput(int code) const;
  // A line on stderr, for people.
  void Note(const std::string& line) const;

 private:
  output::Terminal out_, err_;
  std::optional<rpc::SteadyTime> until_;
};

// A random key for one submission.
std::string MakeIdempotencyKey();

}  // namespace coxswain::cli::verbs
