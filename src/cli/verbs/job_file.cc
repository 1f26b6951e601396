#include "cli/verbs/job_file.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/verbs/flag_checks.h"
#include "common/code/archive.h"
#include "common/code/code_id.h"
#include "common/config/daemon_config.h"
#include "common/config/quantities.h"

namespace coxswain::cli::verbs {
namespace {

constexpr size_t kLargest = 2 << 20;  // what is refused need not be read to its end
constexpr size_t kPiece = 16 << 10;

// Nothing, and errno, on failure.
std::optional<std::string> ReadAll(const std::string& file) {
  std::ifstream opened;
  if (file != "-") {
    std::error_code told_by_open;
    if (std::filesystem::is_directory(file, told_by_open)) {
      errno = EISDIR;
      return std::nullopt;
    }
    opened.open(file, std::ios::binary);
    if (!opened) return std::nullopt;
  }
  std::istream& in = file == "-" ? std::cin : opened;
  std::string text;
  while (text.size() < kLargest && in) {
    const size_t before = text.size();
    text.resize(before + kPiece);
    in.read(text.data() + before, kPiece);
    text.resize(before + static_cast<size_t>(in.gcount()));
  }
  return text;
}

std::filesystem::path FolderOf(const JobFileFlags& flags) {
  return std::filesystem::path(config::AbsolutePath(flags.file == "-" ? "stdin" : flags.file))
      .parent_path();
}

// A path is taken from the current folder, as the shell completes it; what has no '/' is a name.
std::string AbsoluteIfPath(std::string from) {
  const bool relative = from.find('/') != std::string::npos && from.find(':') == std::string::npos;
  return relative ? config::AbsolutePath(from) : from;
}

}  // namespace

void AddJobFileFlags(CLI::App* verb, JobFileFlags* flags) {
  verb->add_option("FILE", flags->file, "the job file (docs/job-spec.md); - for standard input")
      ->required();
  verb->add_option("--set", flags->changes, "change a key: --set spec.train.epochs=3 (repeatable)")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

void AddResumeFlags(CLI::App* verb, ResumeFlags* flags) {
  CLI::Option* from =
      verb->add_option("--resume-from", flags->from,
                       "begin with the newest sound checkpoint of this job, or with this one "
                       "checkpoint: its id, folder or URI")
          ->check(WrongIfEmpty)
          ->transform(AbsoluteIfPath);
  verb->add_flag("--uncommitted", flags->uncommitted,
                 "with a URI: take it without its `committed` object")
      ->needs(from);
}

std::string NameOf(const JobFileFlags& flags) { return flags.file == "-" ? "stdin" : flags.file; }

absl::StatusOr<std::string> ReadText(const JobFileFlags& flags) {
  std::optional<std::string> text = ReadAll(flags.file);
  if (text) return *std::move(text);
  return absl::FailedPreconditionError(config::Escaped(NameOf(flags)) + ": " +
                                       std::strerror(errno) +
                                       "; expected a job file (docs/job-spec.md)");
}

std::variant<config::ParsedJob, std::vector<config::Mistake>> Parse(
    const JobFileFlags& flags, const std::string& text, std::shared_ptr<const rpc::Code>* code) {
  config::JobSite site;
  site.wrong_code = [&](const std::string& given) -> std::string {
    if (code::IsCodeId(given)) return "";
    auto packed = code::Pack((FolderOf(flags) / given).lexically_normal().string());
    if (!packed.ok()) return std::string(packed.status().message());
    std::string id = code::CodeIdOf(packed->archive);
    *code = std::make_shared<rpc::Code>(std::move(id), std::move(packed->archive));
    return "";
  };
  return config::ParseJob(text, config::Escaped(NameOf(flags)), flags.changes, site);
}

std::variant<JobFile, int> ReadJobFile(const Session& session, const JobFileFlags& flags,
                                       const FoundMistakes& found) {
  const absl::StatusOr<std::string> text = ReadText(flags);
  if (!text.ok()) {
    session.Note("cox: " + std::string(text.status().message()));
    return static_cast<int>(kUsage);
  }
  const std::string name = NameOf(flags);
  std::shared_ptr<const rpc::Code> code;
  auto parsed = Parse(flags, *text, &code);
  JobFile out;
  out.request.yaml = *text;
  out.request.file_name = name;
  out.request.overrides = flags.changes;
  if (auto* mistakes = std::get_if<std::vector<config::Mistake>>(&parsed)) {
    if (found) found(out.request, mistakes);
    session.Note(config::ToString(*mistakes) + "cox: " + name +
                 " is no valid job: " + std::to_string(mistakes->size()) +
                 (mistakes->size() == 1 ? " mistake" : " mistakes"));
    return static_cast<int>(kRejected);
  }
  auto& job = std::get<config::ParsedJob>(parsed);
  for (std::string& change : config::AbsolutePathOverrides(job.spec, FolderOf(flags).string())) {
    out.request.overrides.push_back(std::move(change));
  }
  if (code != nullptr) {
    out.request.overrides.push_back("spec.code=" + code->id);
    job.spec.program.code = code->id;
    out.request.code = std::move(code);
  }
  out.spec = std::move(job.spec);
  out.warnings = std::move(job.warnings);
  return out;
}

absl::Status WithPlace(const absl::Status& refusal, const JobFileFlags& flags,
                       const std::string& yaml) {
  const std::string text(refusal.message());
  const size_t colon = text.find(": ");
  const bool names_key =
      text.starts_with("spec.") && colon != std::string::npos && text.find(' ') > colon;
  if (!absl::IsFailedPrecondition(refusal) || !names_key) return refusal;
  const std::string name = NameOf(flags);
  return absl::FailedPreconditionError(
      config::PlaceOfKey(yaml, name, flags.changes, text.substr(0, colon)) + ": " + text);
}

}  // namespace coxswain::cli::verbs
