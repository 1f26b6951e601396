#include "common/config/daemon_config.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include "common/base/exit_codes.h"
#include "common/base/version.h"
#include "common/config/daemon_sections.h"
#include "common/config/quantities.h"

namespace coxswain::config {
namespace {

const std::vector<std::string> kFreeMaps = {"labels"};

template <class Config>
using Reader = void (*)(const YAML::Node&, Notebook*, Config*);

template <class Config>
std::variant<Config, std::vector<Mistake>> ParseConfig(std::string_view yaml, std::string_view file,
                                                       const std::vector<Override>& flags,
                                                       Reader<Config> read) {
  Notebook notes{std::string(file)};
  YAML::Node root = LoadDocument(yaml, &notes);
  if (notes.empty() && root.IsDefined() && !root.IsNull() && !root.IsMap()) {
    notes.Wrong("", LineOf(root), "found " + Describe(root) + ", expected keys such as data_dir");
  }
  if (!notes.empty()) return notes.Take();
  Config config;
  for (const Override& flag : flags) ApplyOverride(flag, kFreeMaps, &root, &notes);
  read(root, &notes, &config);
  if (!notes.empty()) return notes.Take();
  return config;
}

template <class Config>
std::vector<std::string> KnownKeys(Reader<Config> read) {
  Notebook notes("");
  Config ignored;
  read(YAML::Node(), &notes, &ignored);
  return notes.known_keys();
}

std::vector<Override> ToOverrides(const std::vector<std::string>& flags) {
  std::vector<Override> out;
  for (const std::string& flag : flags) out.push_back(ParseOverride(flag, "--set"));
  return out;
}

// "--rank-logs.file-size" -> "rank_logs.file_size"; a label's own name is left as it is.
std::string KeyOfFlag(std::string_view flag) {
  std::string key(flag.substr(2));
  const size_t end = key.starts_with("labels.") ? 7 : key.size();
  std::replace(key.begin(), key.begin() + static_cast<ptrdiff_t>(end), '-', '_');
  return key;
}

struct Flags {
  std::string config_file;
  std::vector<Override> overrides;
  int lifeline_fd = -1;
  bool help = false;
  bool version = false;
  std::string mistake;  // of the command line itself
};

bool TakeFlag(const std::string& name, const std::string& value, Flags* out) {
  if (name == "--config") {
    out->config_file = value;
  } else if (name == "--lifeline-fd") {
    const char* end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, out->lifeline_fd);
    if (error != std::errc() || stop != end || out->lifeline_fd < 0) {
      out->mistake = "--lifeline-fd: found " + Quoted(value) + ", expected a descriptor's number";
    }
  } else {
    out->overrides.push_back({name + "=" + value, KeyOfFlag(name), value});
  }
  return out->mistake.empty();
}

Flags ReadFlags(int argc, const char* const* argv) {
  Flags out;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--help" || name == "-h") out.help = true;
    if (name == "--version") out.version = true;
    if (out.help || out.version) return out;
    if (!name.starts_with("--") || name.size() == 2) {
      out.mistake = "found " + Quoted(name) + ", expected --FLAG VALUE (see --help)";
      return out;
    }
    std::string value;
    const size_t equals = name.find('=');
    if (equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (i + 1 < argc && !std::string_view(argv[i + 1]).starts_with("--")) {
      value = argv[++i];
    } else if (name == "--allow-plaintext" || name == "--gpus") {
      value = "true";
    } else {
      out.mistake = name + ": expected a value after it (see --help)";
      return out;
    }
    if (!TakeFlag(name, value, &out)) return out;
  }
  return out;
}

std::string Help(const std::string& program, const std::string& does,
                 const std::vector<std::string>& keys) {
  std::string text = "Usage: " + program + " [--config FILE] [--KEY VALUE]...\n\n" + does +
                     "\n\nEvery key of the configuration file (configs/" + program.substr(4) +
                     ".yaml describes them) is a flag, and wins over the file:\n\n";
  for (std::string key : keys) {
    std::replace(key.begin(), key.end(), '_', '-');
    text += "  --" + key + "\n";
  }
  return text +
         "\n  --config FILE      read this file first\n"
         "  --lifeline-fd N    end, with all ranks, when the pipe at descriptor N closes\n"
         "  --version, --help\n";
}

std::variant<std::string, EndNow> ReadConfigFile(const std::string& file) {
  if (file.empty()) return std::string();
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  if (in) text << in.rdbuf();
  if (!in || in.bad()) {
    return EndNow{base::kDaemonConfig, file + ": cannot be read: " + std::strerror(errno) +
                                           "; name another file with --config\n"};
  }
  return text.str();
}

template <class Config>
std::variant<Start<Config>, EndNow> ReadStart(int argc, const char* const* argv,
                                              const std::string& program, const std::string& does,
                                              Reader<Config> read) {
  const Flags flags = ReadFlags(argc, argv);
  if (flags.help) return EndNow{0, Help(program, does, KnownKeys<Config>(read))};
  if (flags.version) return EndNow{0, program + " " + base::kVersion + "\n"};
  if (!flags.mistake.empty())
    return EndNow{base::kDaemonConfig, program + ": " + flags.mistake + "\n"};
  auto text = ReadConfigFile(flags.config_file);
  if (auto* end = std::get_if<EndNow>(&text)) return std::move(*end);
  auto parsed =
      ParseConfig<Config>(std::get<std::string>(text), flags.config_file, flags.overrides, read);
  if (auto* mistakes = std::get_if<std::vector<Mistake>>(&parsed)) {
    return EndNow{base::kDaemonConfig, ToString(*mistakes)};
  }
  return Start<Config>{std::get<Config>(std::move(parsed)), flags.lifeline_fd};
}

}  // namespace

std::variant<Start<CoordinatorConfig>, EndNow> ReadCoordinatorStart(int argc,
                                                                    const char* const* argv) {
  return ReadStart<CoordinatorConfig>(argc, argv, "cox-coordinator",
                                      "Decides which training jobs run where, keeps their state, "
                                      "and serves the API and the status page.",
                                      ReadCoordinator);
}

std::variant<Start<WorkerConfig>, EndNow> ReadWorkerStart(int argc, const char* const* argv) {
  return ReadStart<WorkerConfig>(
      argc, argv, "cox-worker",
      "Runs ranks of training jobs on this machine, as its coordinator orders.", ReadWorker);
}

std::variant<CoordinatorConfig, std::vector<Mistake>> ParseCoordinatorConfig(
    std::string_view yaml, std::string_view file, const std::vector<std::string>& flags) {
  return ParseConfig<CoordinatorConfig>(yaml, file, ToOverrides(flags), ReadCoordinator);
}

std::variant<WorkerConfig, std::vector<Mistake>> ParseWorkerConfig(
    std::string_view yaml, std::string_view file, const std::vector<std::string>& flags) {
  return ParseConfig<WorkerConfig>(yaml, file, ToOverrides(flags), ReadWorker);
}

std::vector<std::string> KnownCoordinatorKeys() {
  return KnownKeys<CoordinatorConfig>(ReadCoordinator);
}
std::vector<std::string> KnownWorkerKeys() { return KnownKeys<WorkerConfig>(ReadWorker); }

}  // namespace coxswain::config
