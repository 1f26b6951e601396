// Loads a coordinator through its API, for the benchmarks.
//
//   api-load run  --server HOST:PORT --token-file FILE --plan FILE [--clients C] [--wait-seconds S]
//   api-load read --server HOST:PORT --token-file FILE --job ID [--rate R] [--seconds S]
//
// run: submits the jobs of a plan, each at its time, and waits until all have ended (0: does not
// wait). A line of the plan: AT_MS NAME QUEUE PRIORITY WORKERS CPUS GPUS RUN_MS (QUEUE may be -).
// They are for pretend workers (cox-sim fleet): their data and stores are nowhere. stdout: one line
// "ACK <idempotency key> <job id>" per acknowledged submission, flushed at once; the last line is a
// JSON summary. read: calls GetJob, R times a second; the summary has the latencies.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

#include "coxswain/v1/coxswain.grpc.pb.h"

namespace {

namespace v1 = coxswain::v1;
using Clock = std::chrono::steady_clock;

struct Planned {
  int64_t at_ms = 0, priority = 0, workers = 1, cpus = 1, gpus = 0, run_ms = 0;
  std::string name, queue;
};

std::map<std::string, std::string> given;

double Number(const std::string& key, double otherwise) {
  return given.contains(key) ? std::stod(given[key]) : otherwise;
}

std::string Token() {
  std::ifstream in(given["--token-file"]);
  std::string token;
  in >> token;
  return token;
}

std::vector<Planned> ReadPlan(const std::string& path) {
  std::vector<Planned> plan;
  std::ifstream in(path);
  Planned job;
  while (in >> job.at_ms >> job.name >> job.queue >> job.priority >> job.workers >> job.cpus >>
         job.gpus >> job.run_ms)
    plan.push_back(job);
  return plan;
}

std::string JobFile(const Planned& job) {
  std::ostringstream out;
  out << "apiVersion: coxswain/v1\nkind: TrainingJob\nmetadata:\n  name: " << job.name
      << "\n  labels: {pretend-run-ms: \"" << job.run_ms << "\"}\nspec:\n  workers: " << job.workers
      << "\n  priority: " << job.priority << "\n";
  if (job.queue != "-") out << "  queue: " << job.queue << "\n";
  out << "  resources: {cpus: " << job.cpus << ", gpus: " << job.gpus << "}\n"
      << "  model: {recipe: mlp, hidden: [8]}\n"
         "  data:\n    format: idx\n"
         "    train: {images: s3://pretend/images.gz, labels: s3://pretend/labels.gz}\n"
         "  train: {epochs: 1, global_batch_size: 1024}\n"
         "  checkpoint: {store: s3://pretend/checkpoints}\n";
  return out.str();
}

std::unique_ptr<v1::Coxswain::Stub> Stub(int client) {
  grpc::ChannelArguments arguments;
  arguments.SetInt("client", client);  // a connection of its own
  return v1::Coxswain::NewStub(
      grpc::CreateCustomChannel(given["--server"], grpc::InsecureChannelCredentials(), arguments));
}

void Prepare(grpc::ClientContext* context, const std::string& token) {
  context->AddMetadata("authorization", "Bearer " + token);
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
}

double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

std::string Quantiles(std::vector<double>* ms) {
  std::sort(ms->begin(), ms->end());
  auto at = [&](double q) {
    return ms->empty() ? 0.0
                       : (*ms)[std::min(ms->size() - 1,
                                        static_cast<size_t>(q * static_cast<double>(ms->size())))];
  };
  char text[128];
  std::snprintf(text, sizeof text, "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f", at(0.5),
                at(0.99), at(1.0));
  return text;
}

struct Tally {
  std::mutex mutex;
  std::vector<double> ms;
  double latest_s = 0;  // how far a submission was behind its time
  int errors = 0;
  std::string first_error;
};

void Submit(const std::vector<Planned>& plan, int client, Clock::time_point begin,
            std::atomic<size_t>* next, Tally* tally) {
  auto stub = Stub(client);
  std::string token = Token();
  for (size_t i = (*next)++; i < plan.size(); i = (*next)++) {
    auto due = begin + std::chrono::milliseconds(plan[i].at_ms);
    std::this_thread::sleep_until(due);
    v1::SubmitJobRequest request;
    request.set_spec_yaml(JobFile(plan[i]));
    request.set_spec_name(plan[i].name + ".yaml");
    request.set_idempotency_key(plan[i].name);
    grpc::ClientContext context;
    Prepare(&context, token);
    v1::SubmitJobResponse response;
    auto start = Clock::now();
    grpc::Status status = stub->SubmitJob(&context, request, &response);
    std::lock_guard lock(tally->mutex);
    if (!status.ok()) {
      ++tally->errors;
      if (tally->first_error.empty()) tally->first_error = status.error_message();
      if (status.error_code() == grpc::StatusCode::UNAVAILABLE) return;  // it was killed
      continue;
    }
    tally->ms.push_back(Seconds(start) * 1e3);
    tally->latest_s = std::max(tally->latest_s, std::chrono::duration<double>(start - due).count());
    std::string line = "ACK " + request.idempotency_key() + " " + response.job().id() + "\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) < 0) return;
  }
}

// Seconds until no job is active; below 0: some still were.
double WaitForEnd(Clock::time_point begin, double limit_s) {
  auto stub = Stub(-1);
  std::string token = Token();
  while (limit_s > 0 && Seconds(begin) < limit_s) {
    v1::ListJobsRequest request;
    request.set_active_only(true);
    request.set_page_size(1);
    grpc::ClientContext context;
    Prepare(&context, token);
    v1::ListJobsResponse response;
    grpc::Status status = stub->ListJobs(&context, request, &response);
    if (status.ok() && response.jobs().empty()) return Seconds(begin);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return -1;
}

int Run() {
  std::vector<Planned> plan = ReadPlan(given["--plan"]);
  if (plan.empty()) return std::cerr << "api-load: no jobs in the plan\n", 2;
  Tally tally;
  std::atomic<size_t> next{0};
  auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int c = 0; c < static_cast<int>(Number("--clients", 16)); ++c)
    threads.emplace_back([&, c] { Submit(plan, c, begin, &next, &tally); });
  for (auto& thread : threads) thread.join();
  double submitted = Seconds(begin);
  double all = WaitForEnd(begin, Number("--wait-seconds", 600));
  size_t count = tally.ms.size();
  std::string latencies = Quantiles(&tally.ms);
  std::printf(
      "{\"acknowledged\": %zu, \"errors\": %d, \"submitted_s\": %.3f, \"latest_s\": %.3f, "
      "\"all_ended_s\": %.3f, %s}\n",
      count, tally.errors, submitted, tally.latest_s, all, latencies.c_str());
  if (!tally.first_error.empty()) std::cerr << tally.first_error << "\n";
  return tally.errors == 0 ? 0 : 1;
}

int Read() {
  auto stub = Stub(0);
  std::string token = Token();
  std::vector<double> ms;
  double rate = Number("--rate", 50), seconds = Number("--seconds", 30);
  auto begin = Clock::now();
  for (int i = 0; Seconds(begin) < seconds; ++i) {
    std::this_thread::sleep_until(begin +
                                  std::chrono::microseconds(static_cast<int64_t>(i * 1e6 / rate)));
    v1::GetJobRequest request;
    request.set_job(given["--job"]);
    grpc::ClientContext context;
    Prepare(&context, token);
    v1::Job job;
    auto start = Clock::now();
    grpc::Status status = stub->GetJob(&context, request, &job);
    if (!status.ok()) return std::cerr << status.error_message() << "\n", 1;
    ms.push_back(Seconds(start) * 1e3);
  }
  size_t count = ms.size();
  std::string latencies = Quantiles(&ms);
  std::printf("{\"calls\": %zu, %s}\n", count, latencies.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string mode = argc > 1 ? argv[1] : "";
  for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  if (mode == "run" && given.contains("--plan")) return Run();
  if (mode == "read" && given.contains("--job")) return Read();
  std::cerr << "usage: api-load run --server HOST:PORT --token-file FILE --plan FILE [--clients C] "
               "[--wait-seconds S]\n"
               "       api-load read --server HOST:PORT --token-file FILE --job ID [--rate R] "
               "[--seconds S]\n";
  return 2;
}
