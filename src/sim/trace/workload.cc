#include "sim/trace/workload.h"

#include <absl/strings/str_cat.h>
#include <absl/time/civil_time.h>

#include <algorithm>
#include <map>

#include "sim/trace/csv.h"

namespace coxswain::sim::trace {
namespace {

constexpr double kMostGpus = 100'000;  // of one job

absl::Status FirstError(std::initializer_list<const absl::StatusOr<double>*> numbers) {
  for (const absl::StatusOr<double>* each : numbers) {
    if (!each->ok()) return each->status();
  }
  return absl::OkStatus();
}

void SortBySubmission(std::vector<TraceJob>* jobs) {
  std::stable_sort(jobs->begin(), jobs->end(),
                   [](const TraceJob& a, const TraceJob& b) { return a.submitted < b.submitted; });
}

}  // namespace

absl::StatusOr<std::vector<TraceJob>> ReadPollux(const std::string& path, const std::string& folder,
                                                 PolluxApp::Moves moves) {
  absl::StatusOr<Csv> csv =
      Csv::Read(path, {"name", "time", "application", "num_replicas", "batch_size"});
  if (!csv.ok()) return csv.status();
  std::map<std::string, std::shared_ptr<const PolluxApp>> apps;
  std::vector<TraceJob> jobs;
  for (size_t row = 0; row < csv->size(); ++row) {
    const std::string& name = csv->Text(row, "application");
    absl::StatusOr<std::string> job = csv->Name(row, "name");
    absl::StatusOr<double> time = csv->Number(row, "time", 0, kLongest);
    absl::StatusOr<double> gpus = csv->Whole(row, "num_replicas", 1, kMostGpus);
    absl::StatusOr<double> batch = csv->Number(row, "batch_size", 1, 1e9);
    if (!job.ok()) return job.status();
    if (absl::Status status = FirstError({&time, &gpus, &batch}); !status.ok()) return status;
    if (!apps.contains(name)) {
      auto app = PolluxApp::Load(folder + "/" + name, name);
      if (!app.ok()) {
        return absl::Status(
            app.status().code(),
            absl::StrCat(csv->Place(row), ": application: ", app.status().message()));
      }
      apps[name] = *std::move(app);
    }
    jobs.push_back({*std::move(job), *time, static_cast<uint32_t>(*gpus),
                    PolluxApp::Train(apps[name], *batch, moves)});
  }
  if (jobs.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": it has no job"));
  SortBySubmission(&jobs);
  return jobs;
}

absl::StatusOr<std::vector<TraceJob>> ReadPhilly(const std::string& path,
                                                 const std::string& cluster, size_t most) {
  std::vector<std::string> columns = {"timestamp", "duration", "num_gpus"};
  if (!cluster.empty()) columns.push_back("cluster");
  absl::StatusOr<Csv> csv = Csv::Read(path, columns);
  if (!csv.ok()) return csv.status();
  std::vector<TraceJob> jobs;
  for (size_t row = 0; row < csv->size() && jobs.size() < most; ++row) {
    if (!cluster.empty() && csv->Text(row, "cluster") != cluster) continue;
    absl::CivilSecond stamp;
    std::string text = csv->Text(row, "timestamp");
    std::replace(text.begin(), text.end(), ' ', 'T');
    if (!absl::ParseCivilTime(text, &stamp)) {
      return absl::InvalidArgumentError(
          absl::StrCat(csv->Place(row), ": timestamp: found '", csv->Text(row, "timestamp"),
                       "', expected a time such as 2017-10-09 07:01:55"));
    }
    auto time = static_cast<double>(stamp - absl::CivilSecond(1970, 1, 1));
    absl::StatusOr<double> length = csv->Number(row, "duration", 0, kLongest);
    absl::StatusOr<double> gpus = csv->Whole(row, "num_gpus", 0, kMostGpus);
    if (absl::Status status = FirstError({&length, &gpus}); !status.ok()) return status;
    if (*gpus < 1) continue;
    jobs.push_back(
        {absl::StrCat("philly-", row), time, static_cast<uint32_t>(*gpus), FixedLength(*length)});
  }
  SortBySubmission(&jobs);
  if (jobs.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": it has no job that uses GPUs",
                     cluster.empty() ? "" : absl::StrCat(" of cluster '", cluster, "'")));
  }
  for (size_t i = jobs.size(); i-- > 0;) jobs[i].submitted -= jobs[0].submitted;
  if (jobs.back().submitted > kLongest) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": timestamp: the last job comes ", static_cast<int64_t>(jobs.back().submitted),
        " s after the first, expected at most ", static_cast<int64_t>(kLongest)));
  }
  return jobs;
}

absl::StatusOr<std::vector<Membership>> ReadBamboo(const std::string& path) {
  absl::StatusOr<Csv> csv = Csv::Read(path, {"time", "change", "node"}, false);
  if (!csv.ok()) return csv.status();
  std::vector<Membership> changes;
  for (size_t row = 0; row < csv->size(); ++row) {
    absl::StatusOr<double> ms = csv->Number(row, "time", 0, kLongest * 1000);
    absl::StatusOr<std::string> node = csv->Name(row, "node");
    if (!ms.ok()) return ms.status();
    if (!node.ok()) return node.status();
    const std::string& change = csv->Text(row, "change");
    if (change != "add" && change != "remove") {
      return absl::InvalidArgumentError(
          absl::StrCat(csv->Place(row), ": change: found '", change, "', expected add or remove"));
    }
    changes.push_back({*ms / 1000, change == "add", *std::move(node)});
  }
  if (changes.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": it has no line"));
  return changes;
}

}  // namespace coxswain::sim::trace
