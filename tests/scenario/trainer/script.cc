#include "script.h"

#include <cstdlib>
#include <sstream>

#include "common/base/check.h"

namespace coxswain::trainer::core {
namespace {

int64_t Number(const std::map<std::string, std::string>& words, const char* key, int64_t absent) {
  auto it = words.find(key);
  return it == words.end() ? absent : std::stoll(it->second);
}

std::vector<int64_t> Numbers(const std::map<std::string, std::string>& words, const char* key) {
  std::vector<int64_t> out;
  auto it = words.find(key);
  if (it == words.end()) return out;
  std::stringstream list(it->second);
  for (std::string item; std::getline(list, item, ',');) out.push_back(std::stoll(item));
  return out;
}

base::CheckpointId Checkpoint(const std::map<std::string, std::string>& words) {
  return base::CheckpointId(static_cast<uint64_t>(Number(words, "c", 0)));
}
base::Generation GenerationOf(const std::map<std::string, std::string>& words) {
  return base::Generation(static_cast<uint64_t>(Number(words, "g", 1)));
}

}  // namespace

std::string Script::Run(const std::string& line) {
  std::stringstream in(line);
  std::string verb, word;
  in >> verb;
  Words words;
  while (in >> word) {
    size_t equals = word.find('=');
    words[equals == word.npos ? "" : word.substr(0, equals)] =
        equals == word.npos ? word : word.substr(equals + 1);
  }
  if (verb == "rank") {
    Settings settings;
    settings.rank = static_cast<base::Rank>(Number(words, "", 0));
    settings.incarnation =
        base::Incarnation(static_cast<uint64_t>(Number(words, "incarnation", settings.rank + 1)));
    settings.save_every_steps = Number(words, "every_steps", 0);
    settings.save_every_time = base::milliseconds(Number(words, "every_time", 0));
    settings.saves = Number(words, "saves", 1) != 0;
    settings.keeps_best = words.contains("best");
    settings.higher_is_best = settings.keeps_best && words.at("best") == "highest";
    settings.exports_best = Number(words, "export_best", 0) != 0;
    core_ = std::make_unique<TrainerCore>(settings);
    now_ = base::Time{1'000'000};
    return "";
  }
  CHECK(core_ != nullptr) << "a story begins with 'rank'";
  if (verb == "after") return After(Number(words, "", 0));
  Event event;
  bool known = Outside(verb, words, &event) || Order(verb, words, &event) ||
               FromEngine(verb, words, &event) || FromStorage(verb, words, &event);
  CHECK(known) << "unknown command: " << line;
  return ToText(core_->Decide(now_, event), false);
}

std::string Script::After(int64_t ms) {
  base::Time end = now_ + base::milliseconds(ms);
  std::string out;
  while (auto deadline = core_->NextDeadline()) {
    if (*deadline > end) break;
    now_ = std::max(now_, *deadline);
    out += ToText(core_->Decide(now_, TimerFired{protocol::Phase::kForward}), false);
  }
  now_ = end;
  return out;
}

bool Script::Outside(const std::string& verb, const Words&, Event* event) {
  if (verb == "start") {
    *event = Started{"10.0.0.1:4000"};
  } else if (verb == "connect") {
    *event = LinkConnected{};
  } else if (verb == "sigterm") {
    *event = TerminateSignalled{};
  } else {
    return false;
  }
  return true;
}

bool Script::Order(const std::string& verb, const Words& words, Event* event) {
  protocol::TrainerOrder order;
  if (verb == "form") {
    protocol::FormGeneration form;
    form.generation = GenerationOf(words);
    for (int64_t incarnation : Numbers(words, "members")) {
      auto rank = static_cast<base::Rank>(form.members.size());
      form.members.push_back({rank, base::Incarnation(static_cast<uint64_t>(incarnation)),
                              "10.0.0." + std::to_string(rank + 1) + ":4000"});
    }
    for (int64_t id : Numbers(words, "restore")) {
      form.restore.push_back({base::CheckpointId(static_cast<uint64_t>(id)),
                              "file:///c" + std::to_string(id), "hash"});
    }
    if (words.contains("best")) {
      form.has_best = true;
      form.best = {Checkpoint(words), "file:///c" + std::to_string(Number(words, "c", 0)), "hash"};
      form.best_metric = std::stod(words.at("best"));
    }
    order = form;
  } else if (verb == "opened") {
    std::string uri = "file:///c" + std::to_string(Number(words, "c", 0));
    if (int64_t copy = Number(words, "copy", 0)) uri += "-" + std::to_string(copy);
    order = protocol::CheckpointOpened{Checkpoint(words), Number(words, "step", 0),
                                       GenerationOf(words), uri};
  } else if (verb == "write") {
    protocol::WriteManifest write{Checkpoint(words), {}};
    write.shards.resize(static_cast<size_t>(Number(words, "shards", 1)));
    order = write;
  } else if (verb == "committed") {
    order = protocol::CheckpointCommitted{Checkpoint(words), "abcd"};
  } else if (verb == "refused") {
    order = protocol::CheckpointRefused{Checkpoint(words), Number(words, "step", 0),
                                        GenerationOf(words), "stale"};
  } else if (verb == "save") {
    order = protocol::SaveNow{"asked for"};
  } else if (verb == "stop") {
    order = protocol::StopTraining{Number(words, "save", 0) != 0, "cancelled"};
  } else if (verb == "ack") {
    order = protocol::FinishAcknowledged{};
  } else {
    return false;
  }
  *event = OrderReceived{order};
  return true;
}

bool Script::FromEngine(const std::string& verb, const Words& words, Event* event) {
  if (verb == "formed") {
    plan_ = {Number(words, "samples", 8), Number(words, "batch", 4),
             Number(words, "epochs", 1),  0,
             Number(words, "eval", 0),    Number(words, "eval_steps", 0)};
    step_ = Number(words, "step", 0);
    position_ = Number(words, "position", 0);
    GroupFormed formed{core_->generation(), step_, position_, plan_, {}, "", {}};
    formed.restored = base::CheckpointId(static_cast<uint64_t>(Number(words, "restored", 0)));
    *event = formed;
  } else if (verb == "step") {
    int64_t samples = plan_.NextBatch(position_);
    ++step_;
    position_ += samples;
    *event = StepFinished{step_,
                          position_,
                          samples,
                          0.5,
                          base::milliseconds(10),
                          Number(words, "save", 0) != 0,
                          Number(words, "wanted", 0) != 0,
                          Number(words, "stop", 0) != 0,
                          Number(words, "stop_save", 0) != 0};
  } else if (verb == "broken") {
    *event = CollectiveFailed{"connection reset by peer"};
  } else if (verb == "nan") {
    auto what = words.find("");
    NotFinite loss{step_ + 1,
                   what == words.end() ? "loss" : what->second,
                   {},
                   "first parameter with a non-finite gradient: layers.3.weight"};
    for (int64_t rank : Numbers(words, "ranks")) {
      loss.ranks.push_back(static_cast<base::Rank>(rank));
    }
    *event = loss;
  } else if (verb == "copied") {
    *event = SnapshotTaken{step_};
  } else if (verb == "evaluated") {
    Evaluated evaluated{0.4, 0.9};
    if (words.contains("metric")) evaluated.metric = std::stod(words.at("metric"));
    evaluated.has_best = words.contains("best");
    if (evaluated.has_best) evaluated.best = std::stod(words.at("best"));
    evaluated.held_step = Number(words, "held", 0);
    if (words.contains("stop")) evaluated.stop = "early stopping: no better";
    *event = evaluated;
  } else if (verb == "exported") {
    *event = ModelExported{"file:///model"};
  } else if (verb == "failed") {
    *event = EngineFailed{"it broke", static_cast<int>(Number(words, "code", 1))};
  } else {
    return false;
  }
  return true;
}

bool Script::FromStorage(const std::string& verb, const Words& words, Event* event) {
  if (verb == "stored") {
    *event = ShareStored{Checkpoint(words), {0, "rank-00000.safetensors", 100, "ff"}};
  } else if (verb == "lost") {
    *event = StoreFailed{Checkpoint(words), "disk full"};
  } else if (verb == "written") {
    *event = ManifestStored{Checkpoint(words), "abcd", 200, 2};
  } else if (verb == "marked") {
    *event = CommittedStored{Checkpoint(words)};
  } else {
    return false;
  }
  return true;
}

}  // namespace coxswain::trainer::core
