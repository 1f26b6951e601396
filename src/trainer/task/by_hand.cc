#include "trainer/task/by_hand.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "trainer/task/task.h"

namespace coxswain::trainer::task {

const char kTaskUsage[] =
    "  cox-trainer --task check --spec FILE [--multi-node] [--store URI]\n"
    "  cox-trainer --task verify --uri URI [--manifest-hash HASH] [--spec FILE]\n"
    "  cox-trainer --task collect --prefix URI --uri URI... [--spec FILE]\n"
    "--store: where checkpoints of a job go that names no store. S3 settings come from the job "
    "file or "
    "the AWS variables.\n";

namespace {

using nlohmann::ordered_json;

struct Line {
  protocol::TaskKind kind = protocol::TaskKind::kCheck;
  std::map<std::string, std::string> options;
  std::vector<std::string> uris;
  bool multi_node = false;
};

int Usage(const std::string& what) {
  std::fprintf(stderr, "cox-trainer --task: %s\n%s", what.c_str(), kTaskUsage);
  return 2;
}

// The mistake; empty: none.
std::string Parse(const std::vector<std::string>& arguments, Line* line) {
  if (arguments.empty()) return "no kind of task";
  if (arguments[0] == "verify") {
    line->kind = protocol::TaskKind::kVerify;
  } else if (arguments[0] == "collect") {
    line->kind = protocol::TaskKind::kCollect;
  } else if (arguments[0] != "check") {
    return "unknown kind '" + arguments[0] + "', expected check, verify or collect";
  }
  for (size_t i = 1; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--multi-node") {
      line->multi_node = true;
      continue;
    }
    bool known = name == "--spec" || name == "--uri" || name == "--manifest-hash" ||
                 name == "--prefix" || name == "--store";
    if (!known) return "unknown option '" + name + "'";
    if (++i == arguments.size()) return name + " needs a value";
    if (name == "--uri") line->uris.push_back(arguments[i]);
    line->options[name] = arguments[i];
  }
  if (line->kind == protocol::TaskKind::kCheck && !line->options.count("--spec")) {
    return "check needs --spec FILE";
  }
  if (line->kind != protocol::TaskKind::kCheck && line->uris.empty()) {
    return arguments[0] + " needs --uri URI";
  }
  return "";
}

}  // namespace

int RunByHand(const std::vector<std::string>& arguments) {
  Line line;
  if (std::string wrong = Parse(arguments, &line); !wrong.empty()) return Usage(wrong);
  protocol::StartTask task;
  task.kind = line.kind;
  if (line.options.count("--spec")) {
    std::ifstream file(line.options["--spec"], std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return Usage("cannot read " + line.options["--spec"]);
    task.spec_yaml = text.str();
  }
  ordered_json argument = {{"multi_node", line.multi_node},
                           {"uris", line.uris},
                           {"uri", line.uris.empty() ? "" : line.uris.front()},
                           {"manifest_hash", line.options["--manifest-hash"]},
                           {"prefix", line.options["--prefix"]}};
  task.argument = argument.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  std::string store = line.options["--store"];
  if (const char* from = std::getenv("COXSWAIN_STORE"); store.empty() && from) store = from;

  protocol::TaskEnded ended = RunTask(task, store);
  ordered_json printed = {{"ok", ended.ok}};
  if (ended.ok) {
    printed["result"] = ordered_json::parse(ended.result, nullptr, false);
  } else {
    printed["error"] = ended.error;
    printed["user_error"] = ended.user_error;
  }
  std::printf("%s\n", printed.dump(-1, ' ', false, ordered_json::error_handler_t::replace).c_str());
  if (ended.ok) return protocol::kExitOk;
  return ended.user_error ? protocol::kExitUserError : protocol::kExitInfrastructure;
}

}  // namespace coxswain::trainer::task
