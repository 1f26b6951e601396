#include "coordinator/http/html_text.h"

#include <gmock/gmock.h>

#include "coordinator/http/access.h"
#include "coordinator/http/loss_curve.h"

namespace coxswain::coordinator::http {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(HtmlText, NumbersForPeople) {
  EXPECT_EQ(CountText(1234567), "1,234,567");
  EXPECT_EQ(CountText(-100), "-100");
  EXPECT_EQ(NumberText(0.31274), "0.3127");
  EXPECT_EQ(NumberText(18234.4), "18,234");
  EXPECT_EQ(NumberText(1.234e-5), "1.23e-05");
  EXPECT_EQ(NumberText(1234.6), "1,235");
  EXPECT_EQ(DurationText(base::seconds(83)), "1 min 23 s");
  EXPECT_EQ(DurationText(base::seconds(7400)), "2 h 3 min");
  EXPECT_EQ(DurationText(base::seconds(200000)), "2 d 7 h");
}

TEST(LossCurve, TicksAreRoundAndCoverTheRange) {
  EXPECT_THAT(Ticks(0.1, 0.93, 4), ElementsAre(0, 0.5, 1));
  EXPECT_THAT(Ticks(0, 1000, 5), ElementsAre(0, 200, 400, 600, 800, 1000));
}

// Letters and dots keep their size, whatever the width of the screen: nothing that holds text is
// scaled by a view box.
TEST(LossCurve, LettersAreNotScaledWithTheChart) {
  const std::string svg = CurvesSvg({{"loss", "one", {{1, 2000.5}, {12000, 1.0}}}});
  for (size_t at = svg.find("viewBox"); at != std::string::npos; at = svg.find("viewBox", at + 1)) {
    const size_t begin = svg.rfind("<svg", at);
    const std::string scaled = svg.substr(begin, svg.find("</svg>", at) - begin);
    EXPECT_THAT(scaled, AllOf(Not(HasSubstr("<text")), Not(HasSubstr("<circle"))));
  }
  EXPECT_THAT(svg, AllOf(HasSubstr(">10,000</text>"), HasSubstr(">2,000</text>"),
                         HasSubstr("<title>step 12,000: 1</title>")));
}

TEST(LossCurve, ValuesThatAreNoNumbers_AreLeftOut) {
  std::string svg = CurvesSvg({{"loss", "one", {{1, 2.0}, {2, NAN}, {3, 1.0}}}});
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(CurvesSvg({{"accuracy", "one", {{1, 0.9}}}}), HasSubstr(">1.5<"));
  EXPECT_THAT(CurvesSvg({{"accuracy", "one", {{1, 0.9}}}}, 1.0), Not(HasSubstr(">1.5<")));
  EXPECT_EQ(CurvesSvg({{"loss", "one", {{1, NAN}}}}), "");
  EXPECT_NE(CurvesSvg({{"loss", "one", {{1, 0.0}}}}), "");
}

TEST(AccessTest, HostHeaders) {
  Access local("127.0.0.1", {"Train.Example"}, "secret");
  for (const char* ours : {"127.0.0.1:7072", "localhost", "LOCALHOST:1", "[::1]:7072",
                           "train.example:80", "train.example."}) {
    EXPECT_TRUE(local.HostIsOurs(ours)) << ours;
  }
  for (const char* foreign :
       {"", "evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example"}) {
    EXPECT_FALSE(local.HostIsOurs(foreign)) << foreign;
  }
  Access everywhere("0.0.0.0", {}, "secret");
  EXPECT_TRUE(everywhere.HostIsOurs("10.0.0.1:7072"));
  EXPECT_FALSE(everywhere.HostIsOurs("evil.example"));
}

TEST(AccessTest, TokenOffLoopback) {
  Access local("127.0.0.1", {}, "secret");
  EXPECT_TRUE(local.Admits(""));
  Access open("10.0.0.1", {}, "secret");
  EXPECT_TRUE(open.Admits("Bearer secret"));
  EXPECT_TRUE(open.Admits("basic eDpzZWNyZXQ="));  // x:secret
  for (const char* wrong : {"", "Bearer ", "Bearer secre", "Bearer secrets", "Basic eDp5",
                            "Basic ???", "Basic eHNlY3JldA==", "secret"}) {
    EXPECT_FALSE(open.Admits(wrong)) << wrong;
  }
  EXPECT_FALSE(Access("10.0.0.1", {}, "").Admits("Bearer "));
}

TEST(AccessTest, Addresses) {
  EXPECT_EQ(SplitAddress("[::1]:80")->host, "::1");
  EXPECT_EQ(SplitAddress("127.0.0.1:0")->port, 0);
  for (const char* wrong : {"", "127.0.0.1", ":80", "a:99999", "a:b"}) {
    EXPECT_FALSE(SplitAddress(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace coxswain::coordinator::http
