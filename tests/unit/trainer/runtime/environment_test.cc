#include "trainer/runtime/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "trainer/runtime/listen_socket.h"

namespace coxswain::trainer {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Environment> Read(std::map<std::string, std::string> changes) {
  std::map<std::string, std::string> variables = {{"COXSWAIN_SOCKET", "/run/w.sock"},
                                                  {"COXSWAIN_RANK_KEY", "j12/2/3"},
                                                  {"COXSWAIN_INCARNATION", "77"},
                                                  {"COXSWAIN_SPEC", "/run/job.yaml"},
                                                  {"COXSWAIN_TRAINER_PORTS", "10000-10009"},
                                                  {"COXSWAIN_CPUS", "4"}};
  for (auto& [name, value] : changes) variables[name] = value;
  return ReadEnvironment([&](const char* name) -> const char* {
    auto it = variables.find(name);
    return it == variables.end() ? nullptr : it->second.c_str();
  });
}

TEST(Environment, Complete_IsRead) {
  auto environment = Read({});
  ASSERT_TRUE(environment.ok()) << environment.status();
  EXPECT_EQ(environment->link.key.job, base::JobId(12));
  EXPECT_EQ(environment->link.key.attempt, base::Attempt(2));
  EXPECT_EQ(environment->link.key.rank, 3u);
  EXPECT_EQ(environment->link.incarnation, base::Incarnation(77));
  EXPECT_EQ(environment->first_port, 10000);
  EXPECT_EQ(environment->last_port, 10009);
  EXPECT_EQ(environment->cpus, 4u);
  EXPECT_EQ(environment->address, "127.0.0.1");
}

TEST(Environment, Wrong_NamesVariableFoundAndExpected) {
  for (auto [name, value] : std::map<std::string, std::string>{{"COXSWAIN_RANK_KEY", "j12/2"},
                                                               {"COXSWAIN_RANK_KEY", "12/2/0"},
                                                               {"COXSWAIN_INCARNATION", "0"},
                                                               {"COXSWAIN_TRAINER_PORTS", "9-8"},
                                                               {"COXSWAIN_CPUS", "0"},
                                                               {"COXSWAIN_SOCKET", ""}}) {
    auto environment = Read({{name, value}});
    ASSERT_FALSE(environment.ok()) << name << "=" << value;
    EXPECT_THAT(std::string(environment.status().message()), HasSubstr(name + ": found"));
  }
}

TEST(ListenSocket, PortsInUse_NextOneIsTaken) {
  auto first = ListenSocket::Bind("127.0.0.1", 0, 0);
  ASSERT_TRUE(first.ok());
  uint16_t port = first->port();
  auto full = ListenSocket::Bind("127.0.0.1", port, port);
  EXPECT_THAT(std::string(full.status().message()), HasSubstr("widen the worker's trainer_ports"));
  std::string host;
  uint16_t parsed = 0;
  ASSERT_TRUE(SplitAddress(first->address(), &host, &parsed));
  EXPECT_EQ(host, "127.0.0.1");
  EXPECT_EQ(parsed, port);
  EXPECT_TRUE(SplitAddress("[::1]:80", &host, &parsed));
  EXPECT_EQ(host, "::1");
  EXPECT_FALSE(SplitAddress("127.0.0.1", &host, &parsed));
}

}  // namespace
}  // namespace coxswain::trainer
