// Submits jobs to a running coordinator as fast as it answers, and prints what was acknowledged.
//
//   submit-load --server HOST:PORT --token-file FILE --job FILE [--count N] [--clients C]
//   [--key-prefix P]
//
// stdout: one line "ACK <idempotency key> <job id> <microseconds>" per acknowledged submission,
// flushed at once, so that a test can kill the coordinator at any moment and know what was
// promised; the last line is a JSON summary. A connection is tried for up to 10 s; after that an
// error ends a client, and is counted, not repeated.
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

using Clock = std::chrono::steady_clock;

struct Options {
  std::string server, token, job_yaml, key_prefix = "load";
  int count = 1000;
  int clients = 1;
};

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

Options Parse(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  Options options;
  options.server = given["--server"];
  options.token = ReadFile(given["--token-file"]);
  while (!options.token.empty() && std::isspace(static_cast<unsigned char>(options.token.back()))) {
    options.token.pop_back();
  }
  options.job_yaml = ReadFile(given["--job"]);
  if (given.contains("--count")) options.count = std::stoi(given["--count"]);
  if (given.contains("--clients")) options.clients = std::stoi(given["--clients"]);
  if (given.contains("--key-prefix")) options.key_prefix = given["--key-prefix"];
  return options;
}

struct Tally {
  std::mutex mutex;
  std::vector<int64_t> latencies_us;
  std::string first_error;
  int errors = 0;
};

void RunClient(const Options& options, int client, std::atomic<int>& next, Tally& tally) {
  grpc::ChannelArguments arguments;
  arguments.SetInt("client", client);  // a connection of its own
  auto channel =
      grpc::CreateCustomChannel(options.server, grpc::InsecureChannelCredentials(), arguments);
  auto stub = coxswain::v1::Coxswain::NewStub(channel);
  // gRPC 1.51 now and then fails a first connect on a busy machine, and connects the second time.
  channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10));
  for (int i = next++; i < options.count; i = next++) {
    coxswain::v1::SubmitJobRequest request;
    request.set_spec_yaml(options.job_yaml);
    request.set_spec_name("load.yaml");
    request.set_idempotency_key(options.key_prefix + "-" + std::to_string(i));
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + options.token);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    coxswain::v1::SubmitJobResponse response;
    auto begin = Clock::now();
    grpc::Status status = stub->SubmitJob(&context, request, &response);
    auto us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count();
    std::lock_guard lock(tally.mutex);
    if (!status.ok()) {
      ++tally.errors;
      if (tally.first_error.empty()) tally.first_error = status.error_message();
      return;
    }
    tally.latencies_us.push_back(us);
    std::string line = "ACK " + request.idempotency_key() + " " + response.job().id() + " " +
                       std::to_string(us) + "\n";
    if (write(STDOUT_FILENO, line.data(), line.size()) < 0) return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options = Parse(argc, argv);
  if (options.server.empty() || options.job_yaml.empty()) {
    std::cerr << "usage: submit-load --server HOST:PORT --token-file FILE --job FILE [--count N] "
                 "[--clients C] [--key-prefix P]\n";
    return 2;
  }
  Tally tally;
  std::atomic<int> next{0};
  auto begin = Clock::now();
  std::vector<std::thread> threads;
  for (int c = 0; c < options.clients; ++c) {
    threads.emplace_back([&, c] { RunClient(options, c, next, tally); });
  }
  for (auto& thread : threads) thread.join();
  double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  auto& all = tally.latencies_us;
  std::sort(all.begin(), all.end());
  auto at = [&](double q) {
    return all.empty() ? 0 : all[std::min(all.size() - 1, static_cast<size_t>(q * all.size()))];
  };
  std::printf(
      "{\"acknowledged\": %zu, \"errors\": %d, \"seconds\": %.4f, \"per_second\": %.1f, "
      "\"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
      all.size(), tally.errors, seconds, all.size() / seconds, at(0.5) / 1e3, at(0.99) / 1e3);
  if (!tally.first_error.empty()) std::cerr << tally.first_error << "\n";
  return tally.errors ? 1 : 0;
}
