#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "cli/output/curve.h"
#include "cli/output/table.h"
#include "cli/output/words.h"
#include "cli/verbs/flag_checks.h"
#include "cli/verbs/verb.h"
#include "common/base/nearest_name.h"

namespace coxswain::cli::verbs {
namespace {

using Series = std::map<std::pair<std::string, int32_t>, std::vector<rpc::MetricPoint>>;

std::string PointLine(const rpc::MetricPoint& point) {
  return output::Count(point.step) + "  " + output::OneLine(point.name) +
         (point.rank >= 0 ? "[" + std::to_string(point.rank) + "]" : "") + "  " +
         output::Number(point.value) + (point.repeated_by_later ? "  (repeated)" : "") + "\n";
}

// NaN is neither; of nothing else it is both.
std::pair<double, double> Extremes(const std::vector<rpc::MetricPoint>& points) {
  double low = NAN, high = NAN;
  for (const rpc::MetricPoint& point : points) {
    low = std::fmin(low, point.value);
    high = std::fmax(high, point.value);
  }
  return {low, high};
}

std::string Summary(const Session& session, const Series& series) {
  output::Table table({"NAME", "RANK", "POINTS", "STEP", "LAST", "LOWEST", "HIGHEST"});
  for (const auto& [key, points] : series) {
    const auto [low, high] = Extremes(points);
    const auto last = std::max_element(
        points.begin(), points.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
    table.Add({key.first, key.second < 0 ? "all" : std::to_string(key.second),
               output::Count(static_cast<int64_t>(points.size())), output::Count(last->step),
               output::Number(last->value), output::Number(low), output::Number(high)});
  }
  return table.ToString(session.out());
}

std::string Curves(const Session& session, const Series& series, bool chosen) {
  std::string text;
  for (const auto& [key, points] : series) {
    if (!chosen && key.first != "loss") continue;
    std::vector<output::CurvePoint> curve;
    for (const rpc::MetricPoint& point : points) curve.push_back({point.step, point.value});
    std::stable_sort(curve.begin(), curve.end(),
                     [](const auto& a, const auto& b) { return a.x < b.x; });
    text += output::DrawCurve(curve, {.title = output::OneLine(key.first),
                                      .x_name = "step",
                                      .columns = std::min(session.out().columns, 80),
                                      .rows = 12,
                                      .unicode = session.out().unicode});
  }
  return text.empty() ? "" : text + "\n";
}

std::string JsonList(const std::vector<std::string>& items) {
  std::string json = "{\"points\":[";
  for (size_t i = 0; i < items.size(); ++i) json += (i > 0 ? "," : "") + items[i];
  return json + "]}";
}

int Follow(const Session& session, rpc::Client& client, const rpc::MetricRequest& request) {
  const absl::Status status = client.Metrics(request, [&](const rpc::MetricPoint& point) {
    session.Print(session.machine_readable() ? point.json + "\n" : PointLine(point));
  });
  return status.ok() ? kSuccess : session.Fail(status);
}

// The first name asked for that the job has no points of (yet): NotFound, with those it has.
absl::Status CheckNames(rpc::Client& client, const rpc::MetricRequest& request,
                        const Series& series) {
  std::set<std::string> found;
  for (const auto& [key, points] : series) found.insert(key.first);
  const auto missing = std::find_if(request.names.begin(), request.names.end(),
                                    [&](const auto& name) { return !found.contains(name); });
  if (missing == request.names.end()) return absl::OkStatus();
  std::set<std::string> all;
  const absl::Status status =
      client.Metrics({.job = request.job, .names = {}, .max_points = 1},
                     [&](const rpc::MetricPoint& point) { all.insert(point.name); });
  if (!status.ok() || all.empty()) return status;
  std::string there;
  for (const std::string& name : all) there += (there.empty() ? "" : ", ") + name;
  const std::vector<std::string> names(all.begin(), all.end());
  return absl::NotFoundError("no metric '" + *missing + "' of " + request.job + " so far" +
                             base::DidYouMean(*missing, names) + "; there are " + there);
}

// So that nobody takes a gap for a pause of the job.
absl::Status TellDropped(const Session& session, rpc::Client& client, const std::string& name) {
  const absl::StatusOr<rpc::Job> job = client.GetJob(name);
  if (!job.ok() || job->metric_points_dropped == 0) return job.status();
  session.Note(output::Count(static_cast<int64_t>(job->metric_points_dropped)) +
               (job->metric_points_dropped == 1 ? " point was" : " points were") +
               " left out, because a buffer or a disk was full; last at " +
               output::When(job->metric_points_dropped_us));
  return absl::OkStatus();
}

int Metrics(const Session& session, const rpc::MetricRequest& request) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  if (request.follow) return Follow(session, **client, request);
  Series series;
  std::vector<std::string> json;
  std::string lines;
  const absl::Status status = (*client)->Metrics(request, [&](const rpc::MetricPoint& point) {
    if (session.machine_readable()) json.push_back(point.json);
    if (session.wide()) lines += PointLine(point);
    series[{point.name, point.rank}].push_back(point);
  });
  if (!status.ok()) return session.Fail(status);
  if (const absl::Status names = CheckNames(**client, request, series); !names.ok()) {
    return session.Fail(names);
  }
  if (session.machine_readable()) {
    session.PrintStructured(JsonList(json));
  } else if (series.empty()) {
    session.Note("no metrics yet");
  } else {
    session.Print(session.wide()
                      ? lines
                      : Curves(session, series, !request.names.empty()) + Summary(session, series));
  }
  const absl::Status told = TellDropped(session, **client, request.job);
  return told.ok() ? kSuccess : session.Fail(told);
}

}  // namespace

void AddMetrics(CLI::App* app, Session* session) {
  auto request = std::make_shared<rpc::MetricRequest>();
  CLI::App* verb =
      app->add_subcommand("metrics", "Loss curve and numbers of a job; -o wide prints every point");
  verb->add_option("JOB", request->job, "id (j12) or name")->required();
  verb->add_option("--name", request->names, "only this metric, such as eval.accuracy (repeatable)")
      ->allow_extra_args(false)
      ->check(WrongIfEmpty);
  verb->add_flag("-f,--follow", request->follow, "go on until the job ends, a line for each point");
  verb->add_flag("--repeated", request->include_repeated,
                 "also points that a later generation has replaced");
  verb->add_option("--max-points", request->max_points,
                   "at most so many of each, evenly thinned; 0: all")
      ->check(WrongCount);
  verb->footer(
      "\nExamples:\n  cox metrics j12\n  cox metrics j12 --name eval.accuracy\n"
      "  cox metrics j12 -o json | jq '.points[].value'\n  cox metrics -f j12 --name loss");
  verb->callback([=] { session->action = [=] { return Metrics(*session, *request); }; });
}

}  // namespace coxswain::cli::verbs
