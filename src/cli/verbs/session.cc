#include "cli/verbs/session.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "cli/local/endpoint.h"
#include "cli/output/standard_output.h"
#include "cli/output/yaml_text.h"
#include "common/config/quantities.h"

namespace coxswain::cli::verbs {

bool Session::StartTimeout() {
  if (timeout.empty()) return true;
  const auto limit = config::ParseDuration(timeout);
  if (!limit || limit->count() == 0) {
    Note("cox: --timeout: found \"" + timeout + "\", expected a duration such as 30s, 5m or 2h");
    return false;
  }
  until_ = std::chrono::steady_clock::now() + *limit;
  return true;
}

absl::StatusOr<std::unique_ptr<rpc::Client>> Session::Connect(
    std::function<void(const std::string&)> on_trouble,
    std::optional<std::chrono::milliseconds> patience,
    std::optional<std::chrono::milliseconds> at_most) const {
  absl::StatusOr<local::Server> found = local::FindServer(server, token_file);
  if (!found.ok()) return found.status();
  const std::string wrong = local::WrongAddress(found->address);
  if (!wrong.empty()) return absl::InvalidArgumentError(found->how + ": " + wrong);
  if (!on_trouble) {
    on_trouble = [this, last = std::string()](const std::string& why) mutable {
      if (why != last) Note("cox: " + why + "; trying again");
      last = why;
    };
  }
  std::optional<rpc::SteadyTime> until = until_;
  if (at_most) {
    const rpc::SteadyTime by = rpc::SteadyTime::clock::now() + *at_most;
    until = until ? std::min(*until, by) : by;
  }
  return rpc::Client::Make({.server = found->address,
                            .token = found->token,
                            .token_from = found->token_from,
                            .until = until,
                            .on_trouble = std::move(on_trouble),
                            .patience = patience,
                            .json = machine_readable()});
}

int Session::Fail(const absl::Status& status, bool submitting) const {
  std::string text = output::Harmless(std::string(status.message()));
  const bool mistakes = rpc::HasMistakes(status) && submitting;
  if (absl::IsUnavailable(status) && text.starts_with("cannot reach")) {
    text +=
        ". Start one with `cox-coordinator` and `cox-worker`, name another with --server or "
        "COX_SERVER, "
        "or train right here with `cox run FILE`";
    const std::string earlier = local::DefaultRunDir() + "/coordinator";
    std::error_code may_not_look;
    if (std::filesystem::exists(earlier + "/state.db", may_not_look)) {
      text += ". To ask about an earlier `cox run`, start `cox-coordinator --data-dir " + earlier +
              "`, then repeat this command";
    }
  }
  Note(mistakes ? text : output::Paint(err_, output::Colour::kRed, "cox: ") + text);
  return ExitCodeOf(status, submitting);
}

void Session::PrintStructured(const std::string& json) const {
  Print(format == Format::kYaml ? output::YamlFromJson(json) : output::PrettyJson(json));
}

void Session::Print(const std::string& text) const {
  // Nobody would see the rest of a stream, or of a long listing: stop at once.
  if (!output::WriteOut(text)) std::_Exit(CodeAfterOutput(kSuccess));
}

int Session::CodeAfterOutput(int code) const {
  const int trouble = output::OutputTrouble();
  if (trouble == 0) return code;
  // A reader that has read enough (`| head`) is no error to report.
  if (trouble == EPIPE) return code == kSuccess ? kBrokenPipe : code;
  Note("cox: cannot write to standard output: " + std::string(std::strerror(trouble)));
  return code == kSuccess ? kUnreachable : code;
}

void Session::Note(const std::string& line) const { std::fprintf(stderr, "%s\n", line.c_str()); }

std::string MakeIdempotencyKey() {
  std::random_device device;
  char text[64];
  std::snprintf(text, sizeof text, "cox-%08x%08x%08x%08x", device(), device(), device(), device());
  return text;
}

}  // namespace coxswain::cli::verbs
