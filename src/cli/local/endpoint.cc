#include "cli/local/endpoint.h"

#include <signal.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/config/daemon_config.h"
#include "common/config/quantities.h"

namespace coxswain::cli::local {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Text(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

struct Place {
  Endpoint endpoint;
  std::string data_dir;
};

std::optional<Place> RunningHere() {
  for (const std::string& dir :
       {config::DefaultDataDir("coordinator"), DefaultRunDir() + "/coordinator"}) {
    if (auto endpoint = ReadEndpoint(dir)) return Place{*endpoint, dir};
  }
  return std::nullopt;
}

void FindToken(const std::optional<Place>& here, Server* out) {
  out->token = Variable("COX_TOKEN");
  out->token_from = "COX_TOKEN";
  if (!out->token.empty()) return;
  out->token_from =
      here ? here->endpoint.token_file : config::DefaultDataDir("coordinator") + "/token";
  out->token = ReadTokenFile(out->token_from).value_or("");
}

}  // namespace

std::string DefaultRunDir() { return config::DefaultDataDir("run"); }

std::optional<Endpoint> ReadEndpoint(const std::string& data_dir) {
  std::ifstream in(data_dir + "/endpoint");
  const nlohmann::json object = nlohmann::json::parse(in, nullptr, false);
  if (!object.is_object() || !object.value("pid", nlohmann::json()).is_number_integer())
    return std::nullopt;
  Endpoint out{.api = Text(object, "api"),
               .worker = Text(object, "worker"),
               .http = Text(object, "http"),
               .token_file = Text(object, "token_file"),
               .cluster_id = Text(object, "cluster_id"),
               .pid = object["pid"].get<int64_t>()};
  const bool gone = out.pid <= 0 || (kill(static_cast<pid_t>(out.pid), 0) != 0 && errno == ESRCH);
  if (out.api.empty() || gone) return std::nullopt;
  return out;
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  std::ifstream in(path);
  std::string token;
  if (!in) return absl::FailedPreconditionError("token file " + path + ": " + std::strerror(errno));
  if (!(in >> token)) return absl::FailedPreconditionError("token file " + path + " is empty");
  return token;
}

std::string WrongAddress(const std::string& address) {
  const auto usable = [](const std::string& text) {
    const auto parts = config::ParseHostPort(text);
    return parts && parts->port > 0;
  };
  if (address.starts_with("unix:") || usable(address)) return "";
  const std::string expected = "found " + config::Quoted(address) +
                               ", expected HOST:PORT with a port from 1 to 65535, such as "
                               "127.0.0.1:7070";
  std::string guess =
      address.substr(address.find("://") == std::string::npos ? 0 : address.find("://") + 3);
  guess = guess.substr(0, guess.find('/'));
  if (!usable(guess)) guess += ":7070";
  return expected + (usable(guess) && config::FindBadByte(guess) == std::string::npos
                         ? " (did you mean " + guess + "?)"
                         : "");
}

absl::StatusOr<Server> FindServer(const std::string& server_flag,
                                  const std::string& token_file_flag) {
  Server out{server_flag, "", "--server", ""};
  if (out.address.empty()) out = {Variable("COX_SERVER"), "", "COX_SERVER", ""};
  const std::optional<Place> here = RunningHere();
  if (out.address.empty() && here) out = {here->endpoint.api, "", here->data_dir + "/endpoint", ""};
  if (out.address.empty()) out = {config::CoordinatorConfig().listen, "", "default", ""};
  if (token_file_flag.empty()) {
    FindToken(here, &out);
    return out;
  }
  absl::StatusOr<std::string> token = ReadTokenFile(token_file_flag);
  if (!token.ok()) return token.status();
  out.token = *std::move(token);
  out.token_from = token_file_flag;
  return out;
}

}  // namespace coxswain::cli::local
