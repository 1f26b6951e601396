#include "common/base/policy_name.h"

#include <gtest/gtest.h>

#include <iterator>
#include <set>

namespace coxswain::base {
namespace {

TEST(PolicyName, EveryOneIsListedAndReadBack) {
  std::set<std::string> names;
  for (PolicyName name : kPolicies) {
    EXPECT_EQ(ParsePolicyName(ToString(name)), name);
    names.insert(ToString(name));
  }
  EXPECT_EQ(names.size(), std::size(kPolicies));
  // Of one that was added to the enum and not to the list, the switch would know the name.
  EXPECT_STREQ(ToString(static_cast<PolicyName>(std::size(kPolicies))), "unknown");
}

TEST(PolicyName, AnotherWord_IsNone) {
  for (const char* word : {"", "FIFO", "fifo ", "unknown"}) EXPECT_FALSE(ParsePolicyName(word));
}

TEST(PolicyName, List_IsASentence) {
  EXPECT_TRUE(ListPolicyNames().starts_with("fifo, priority, fair"));
  EXPECT_NE(ListPolicyNames().find(" or "), std::string::npos);
}

}  // namespace
}  // namespace coxswain::base
