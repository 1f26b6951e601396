#include "coordinator/http/loss_curve.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "coordinator/http/html_text.h"

namespace coxswain::coordinator::http {
namespace {

// In pixels, which no width of the screen scales: letters and dots stay as they are. Along the
// steps all is in per cent, so that the plot takes what width there is.
constexpr double kHeight = 200, kTop = 8, kBottom = 24;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void Add(double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  }
  bool empty() const { return low > high; }
  void Widen() {
    if (low < high) return;
    double by = low == 0 ? 1 : std::abs(low) / 2;
    low -= by;
    high += by;
  }
};

struct Scale {
  Range x, y;
  double X(double v) const { return 100 * (v - x.low) / (x.high - x.low); }  // per cent
  double Y(double v) const {
    return kHeight - kBottom - (v - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

std::string ValueAxis(const Scale& s, const std::vector<double>& ticks) {
  std::string out = absl::StrFormat(
      "<svg class=\"values\" width=\"56\" height=\"%.0f\" aria-hidden=\"true\">", kHeight);
  for (double v : ticks) {
    absl::StrAppendFormat(&out, "<text text-anchor=\"end\" x=\"50\" y=\"%.1f\">%s</text>",
                          s.Y(v) + 4, NumberText(v));
  }
  return out + "</svg>";
}

std::string Grid(const Scale& s, const std::vector<double>& x_ticks,
                 const std::vector<double>& y_ticks) {
  std::string out;
  for (double v : y_ticks) {
    absl::StrAppendFormat(&out,
                          "<line class=\"grid\" x1=\"0\" x2=\"100%%\" y1=\"%.1f\" y2=\"%.1f\"/>",
                          s.Y(v), s.Y(v));
  }
  for (double v : x_ticks) {
    if (v < s.x.low || v > s.x.high) continue;
    const double at = s.X(v);
    // Those at the edges stay within.
    const char* anchor = at < 4 ? "start" : at > 96 ? "end" : "middle";
    absl::StrAppendFormat(&out, "<text text-anchor=\"%s\" x=\"%.2f%%\" y=\"%.0f\">%s</text>",
                          anchor, at, kHeight - 7, CountText(std::llround(v)));
  }
  return out;
}

std::string Line(const Scale& s, const Curve& curve) {
  std::string points;
  for (const auto& [step, value] : curve.points) {
    if (std::isfinite(value)) {
      absl::StrAppendFormat(&points, "%.2f,%.1f ", s.X(static_cast<double>(step)), s.Y(value));
    }
  }
  // Per cent are no coordinates of a polyline: it is stretched instead, its stroke is not.
  std::string out = absl::StrFormat(
      "<svg width=\"100%%\" height=\"%.0f\" viewBox=\"0 0 100 %.0f\" preserveAspectRatio=\"none\">"
      "<polyline class=\"curve %s\" points=\"%s\"/></svg>",
      kHeight, kHeight, curve.style, points);
  for (const auto& [step, value] : curve.points) {
    if (curve.points.size() > 60 || !std::isfinite(value)) continue;
    absl::StrAppendFormat(
        &out,
        "<circle class=\"dot %s\" cx=\"%.2f%%\" cy=\"%.1f\" r=\"2.5\"><title>step %s: "
        "%s</title></circle>",
        curve.style, s.X(static_cast<double>(step)), s.Y(value), CountText(step),
        NumberText(value));
  }
  return out;
}

std::string Legend(const std::vector<Curve>& curves) {
  std::string out = "<figcaption>";
  for (const Curve& curve : curves) {
    if (curve.points.empty()) continue;
    absl::StrAppend(&out, "<span class=\"key ", curve.style, "\">", Escape(curve.name), "</span>");
  }
  return out + " <span class=\"dim\">by step</span></figcaption>";
}

}  // namespace

std::vector<double> Ticks(double low, double high, int most) {
  double rough = (high - low) / most;
  double unit = std::pow(10, std::floor(std::log10(rough)));
  double step = unit * 10;
  for (double nice : {1.0, 2.0, 5.0}) {
    if (unit * nice >= rough) {
      step = unit * nice;
      break;
    }
  }
  std::vector<double> ticks;
  for (double v = std::floor(low / step); v <= std::ceil(high / step) + 0.5; ++v) {
    ticks.push_back(v * step);
  }
  return ticks;
}

std::string CurvesSvg(const std::vector<Curve>& curves, double most) {
  Scale s;
  for (const Curve& curve : curves) {
    for (const auto& [step, value] : curve.points) {
      if (!std::isfinite(value)) continue;
      s.x.Add(static_cast<double>(step));
      s.y.Add(value);
    }
  }
  if (s.x.empty()) return "";
  s.x.Widen();
  s.y.Widen();
  std::vector<double> y_ticks = Ticks(s.y.low, std::min(s.y.high, most), 4);
  while (y_ticks.size() > 2 && y_ticks.back() > most + 1e-9) y_ticks.pop_back();
  s.y.low = y_ticks.front();
  s.y.high = y_ticks.back();
  std::string plot = Grid(s, Ticks(s.x.low, s.x.high, 4), y_ticks);
  for (const Curve& curve : curves) {
    if (!curve.points.empty()) plot += Line(s, curve);
  }
  return absl::StrCat("<figure class=\"chart\">", Legend(curves), "<div>", ValueAxis(s, y_ticks),
                      "<svg class=\"plot\" width=\"100%\" height=\"", kHeight,
                      "\" role=\"img\" aria-label=\"curves over steps\">", plot,
                      "</svg></div></figure>");
}

}  // namespace coxswain::coordinator::http
