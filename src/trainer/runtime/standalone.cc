#include "trainer/runtime/standalone.h"

#include <charconv>
#include <cstdio>
#include <map>

#include "common/protocol/trainer_messages.h"
#include "trainer/runtime/local_link.h"
#include "trainer/runtime/rank_main.h"

namespace coxswain::trainer {

const char kStandaloneUsage[] =
    "cox-trainer --standalone --spec FILE [--rank R --world-size N --store-address HOST:PORT]\n"
    "            [--store URI] [--prefix NAME] [--resume-from URI] [--cpus N] [--metrics FILE]\n"
    "            [--global-batch N]\n"
    "One rank without worker and coordinator. Start every rank with the same --store-address; rank "
    "0\n"
    "listens there. Checkpoints are saved by a world of one alone; the model goes below --store.\n";

namespace {

int Usage(const std::string& mistake) {
  std::fprintf(stderr, "cox-trainer: %s\n%s", mistake.c_str(), kStandaloneUsage);
  return 2;
}

bool ParseNumber(const std::string& text, uint32_t* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// Where rank 0 listens; other ranks bind any port, which nobody uses.
absl::StatusOr<ListenSocket> BindFor(uint32_t rank, const std::string& store_address) {
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  if (rank == 0 && !store_address.empty() && !SplitAddress(store_address, &host, &port)) {
    return absl::InvalidArgumentError("--store-address: found '" + store_address +
                                      "', expected HOST:PORT");
  }
  return ListenSocket::Bind(host, port, port);
}

}  // namespace

int RunStandalone(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> flags = {
      {"--spec", ""},    {"--rank", "0"},       {"--world-size", "1"}, {"--store-address", ""},
      {"--store", ""},   {"--prefix", "run"},   {"--resume-from", ""}, {"--cpus", ""},
      {"--metrics", ""}, {"--global-batch", ""}};
  for (size_t i = 0; i < arguments.size(); i += 2) {
    auto flag = flags.find(arguments[i]);
    if (flag == flags.end()) return Usage("unknown argument '" + arguments[i] + "'");
    if (i + 1 == arguments.size()) return Usage(arguments[i] + " needs a value");
    flag->second = arguments[i + 1];
  }
  LocalSettings local;
  RankSettings rank;
  if (flags["--spec"].empty()) return Usage("--spec is needed");
  if (!ParseNumber(flags["--rank"], &local.rank) ||
      !ParseNumber(flags["--world-size"], &local.world_size) || local.rank >= local.world_size) {
    return Usage("--rank and --world-size must be numbers, rank below world size");
  }
  if (local.world_size > 1 && flags["--store-address"].empty()) {
    return Usage("--store-address is needed for more than one rank");
  }
  auto spec = ReadSpec(flags["--spec"]);
  if (!spec.ok()) {
    std::fprintf(stderr, "%s\n", std::string(spec.status().message()).c_str());
    return protocol::kExitUserError;
  }
  auto socket = BindFor(local.rank, flags["--store-address"]);
  if (!socket.ok()) return Usage(std::string(socket.status().message()));
  local.store_address = local.world_size > 1 ? flags["--store-address"] : socket->address();
  local.store = flags["--store"];
  local.prefix = flags["--prefix"];
  local.resume_from = flags["--resume-from"];
  local.metrics_path = flags["--metrics"];
  rank.spec = std::move(spec->spec);
  rank.spec_yaml = std::move(spec->yaml);
  rank.rank = local.rank;
  rank.incarnation = base::Incarnation(local.rank + 1);
  rank.cpus = rank.spec.resources.cpus;
  if (!flags["--cpus"].empty() && !ParseNumber(flags["--cpus"], &rank.cpus)) {
    return Usage("--cpus: found '" + flags["--cpus"] + "', expected a number");
  }
  uint32_t batch = 0;
  if (const std::string& text = flags["--global-batch"]; !text.empty()) {
    if (!ParseNumber(text, &batch) || batch == 0 || batch > 16'777'216) {
      return Usage("--global-batch: found '" + text + "', expected a number from 1 to 16777216");
    }
  }
  local.global_batch = batch;
  rank.store = local.store;
  rank.state_prefix = local.prefix;
  rank.saves = local.world_size == 1;
  RunRank(std::move(rank), *std::move(socket), std::make_unique<LocalLink>(local));
}

}  // namespace coxswain::trainer
