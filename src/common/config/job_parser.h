// Turns a job file's text into a JobSpec, or into every mistake in it. Pure text work: files and
// stores named in it are checked elsewhere (cox-trainer --task).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/config/job_spec.h"
#include "common/config/mistake.h"

namespace coxswain::config {

struct ParsedJob {
  JobSpec spec;
  std::string yaml;  // the text with overrides applied: what is stored and sent on
  std::vector<std::string> warnings;
};

// What only a coordinator knows of where a job is going.
struct JobSite {
  std::string default_store;  // written into a job that names none; empty: nothing is written
  // What is wrong with this queue ("": none was named), or "".
  std::function<std::string(const std::string& queue)> wrong_queue;
  // Likewise of spec.code, where a job gives it. Unset: anything goes.
  std::function<std::string(const std::string& code)> wrong_code;
};

// `overrides`: "spec.train.epochs=3", applied in order. `file` is used in messages only.
// Returns all mistakes, in file order, never only the first.
std::variant<ParsedJob, std::vector<Mistake>> ParseJob(std::string_view yaml, std::string_view file,
                                                       const std::vector<std::string>& overrides,
                                                       const JobSite& site = {});

// The same document with the values of secret `env:` keys (ending in KEY, SECRET, TOKEN, PASSWORD)
// replaced by "***": the only form that leaves the coordinator for people. Comments go too: they
// may hold what the values do. A text that is not YAML is not shown at all.
std::string MaskSecrets(std::string_view yaml);
// The same of a complete job (ParsedJob::yaml), which mostly has nothing to mask: far faster then.
std::string MaskSecretsOfComplete(std::string_view yaml);

// "API_KEY", "aws_secret", "HF_TOKEN", "DB_PASSWORD": names whose values are never shown.
bool IsSecretName(std::string_view name);

// Overrides ("spec.data.train.images=file:///data/mnist/train.gz") that turn every path of the
// job into an absolute file: URI; relative ones are taken from `directory` (absolute), the folder
// of the job file. For `cox`, which knows that folder; URIs with a scheme are left alone.
std::vector<std::string> AbsolutePathOverrides(const JobSpec& spec, std::string_view directory);

// "accuracy", what spec.checkpoint.best of an accepted job goes by; empty: it keeps no best one.
std::string BestMetricOf(std::string_view yaml);

// Where a key of an accepted job was given, for mistakes that only a look at the data can find:
// "job.yaml:14", "--set spec.data.limit=5", or the file alone where the key is not given at all.
// `overrides` as for ParseJob.
std::string PlaceOfKey(std::string_view yaml, std::string_view file,
                       const std::vector<std::string>& overrides, std::string_view key);

// What is wrong with a URI of data or a store, or "": expected are file:///..., s3://BUCKET/... or,
// with `path_too`, a path.
std::string WrongUri(const std::string& uri, bool path_too);

// Every key a job file may have, "spec.train.epochs" and so on, in the order of docs/job-spec.md.
// Keys chosen by the user (labels, env) end in ".*".
std::vector<std::string> KnownJobKeys();

}  // namespace coxswain::config
