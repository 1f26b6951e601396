#include "coordinator/http/loss_curve.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "coordinator/http/html_text.h"

namespace coxswain::coordinator::http {
namespace {

constexpr double kWidth = 500, kHeight = 220, kLeft = 48, kRight = 12, kTop = 26, kBottom = 26;

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
  double X(double v) const {
    return kLeft + (v - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight);
  }
  double Y(double v) const {
    return kHeight - kBottom - (v - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

std::string Axes(const Scale& s, const std::vector<double>& x_ticks,
                 const std::vector<double>& y_ticks) {
  std::string out;
  for (double v : y_ticks) {
    absl::StrAppendFormat(
        &out,
        "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
        "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%s</text>",
        kLeft, kWidth - kRight, s.Y(v), s.Y(v), kLeft - 6, s.Y(v) + 4, NumberText(v));
  }
  for (double v : x_ticks) {
    if (v < s.x.low || v > s.x.high) continue;
    absl::StrAppendFormat(
        &out, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%s</text>", s.X(v),
        kHeight - 8, CountText(std::llround(v)));
  }
  return out;
}

std::string Line(const Scale& s, const Curve& curve) {
  std::string points;
  for (const auto& [step, value] : curve.points) {
    if (std::isfinite(value)) {
      absl::StrAppendFormat(&points, "%.1f,%.1f ", s.X(static_cast<double>(step)), s.Y(value));
    }
  }
  std::string out =
      absl::StrCat("<polyline class=\"curve ", curve.style, "\" points=\"", points, "\"/>");
  for (const auto& [step, value] : curve.points) {
    if (curve.points.size() > 60 || !std::isfinite(value)) continue;
    absl::StrAppendFormat(
        &out,
        "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>step %s: "
        "%s</title></circle>",
        curve.style, s.X(static_cast<double>(step)), s.Y(value), CountText(step),
        NumberText(value));
  }
  return out;
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
  std::string out = absl::StrFormat(
      "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"curves over "
      "steps\">",
      kWidth, kHeight);
  out += Axes(s, Ticks(s.x.low, s.x.high, 5), y_ticks);
  double at = kLeft;
  for (const Curve& curve : curves) {
    if (curve.points.empty()) continue;
    out += Line(s, curve);
    absl::StrAppendFormat(
        &out,
        "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"10\" r=\"4\"/><text class=\"name\" "
        "x=\"%.1f\" y=\"14\">%s</text>",
        curve.style, at + 4, at + 13, Escape(curve.name));
    at += 40 + 8 * static_cast<double>(curve.name.size());
  }
  return out + "</svg>";
}

}  // namespace coxswain::coordinator::http
