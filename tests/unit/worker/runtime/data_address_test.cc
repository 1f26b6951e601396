#include "worker/runtime/data_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coxswain::worker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// TEST-NET-3 (RFC 5737): no machine has it.
constexpr char kElsewhere[] = "203.0.113.7";

Resolver Knows(std::vector<std::string> numbers) {
  return [numbers](const std::string&) { return numbers; };
}
absl::StatusOr<std::vector<std::string>> Unasked(const std::string& name) {
  ADD_FAILURE() << name << " is not to be resolved";
  return absl::InternalError("");
}
std::string WhyNot(const std::string& setting, const Resolver& resolve = Unasked) {
  auto address = OwnAddress(setting, resolve);
  EXPECT_TRUE(absl::IsInvalidArgument(address.status())) << address.status();
  return std::string(address.status().message());
}

TEST(DataAddress, OwnNumber_IsTaken) {
  EXPECT_EQ(*OwnAddress("127.0.0.1", Unasked), "127.0.0.1");
  EXPECT_EQ(*OwnAddress("127.9.8.7", Unasked), "127.9.8.7");  // all of 127.0.0.0/8 is the machine's
}

TEST(DataAddress, NumberOfAnotherMachine_IsRefusedWithThoseThatThereAre) {
  EXPECT_THAT(WhyNot(kElsewhere),
              AllOf(HasSubstr("found \"203.0.113.7\", which is no address of this machine; "
                              "expected one on which its ranks can listen"),
                    HasSubstr("(it has "), HasSubstr("NAT")));
}

TEST(DataAddress, WhatIsNotOneMachinesAddress_IsRefused) {
  for (const char* wrong : {"0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1"}) {
    EXPECT_THAT(WhyNot(wrong), HasSubstr("which is not the address of one machine")) << wrong;
  }
}

TEST(DataAddress, PortOrBrackets_AreNotAskedOfDns) {
  for (const char* wrong : {"127.0.0.1:29500", "[::1]", "[::1]:29500", "node-1:29500"}) {
    EXPECT_THAT(WhyNot(wrong), HasSubstr("without brackets and without a port")) << wrong;
  }
}

TEST(DataAddress, Name_BecomesTheFirstAddressThatIsOurs) {
  EXPECT_EQ(*OwnAddress("node-1", Knows({kElsewhere, "127.0.0.2", "127.0.0.1"})), "127.0.0.2");
}

TEST(DataAddress, NameOfOtherMachines_IsRefusedWithItsAddresses) {
  EXPECT_THAT(WhyNot("node-2", Knows({kElsewhere, "203.0.113.8"})),
              HasSubstr("found \"node-2\", a name of 203.0.113.7, 203.0.113.8: no address of this "
                        "machine; expected"));
}

TEST(DataAddress, NameThatIsNotKnown_IsAMistake) {
  auto unknown = [](const std::string&) { return absl::NotFoundError("Name not known"); };
  EXPECT_THAT(WhyNot("10.0.0.256", unknown),
              HasSubstr("found \"10.0.0.256\", which is neither an address nor a name that this "
                        "machine knows (Name not known)"));
}

TEST(DataAddress, NamesThatCannotBeAskedNow_MayBeLater) {
  auto silent = [](const std::string&) { return absl::UnavailableError("Temporary failure"); };
  auto address = OwnAddress("node-1", silent);
  EXPECT_TRUE(absl::IsUnavailable(address.status())) << address.status();
  EXPECT_THAT(address.status().message(), HasSubstr("start again later"));
}

TEST(DataAddress, LocalhostResolves) { EXPECT_TRUE(OwnAddress("localhost").ok()); }

}  // namespace
}  // namespace coxswain::worker
