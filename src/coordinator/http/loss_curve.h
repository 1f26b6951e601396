// A curve over steps as inline SVG.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace coxswain::coordinator::http {

struct Curve {
  std::string name;   // for people; escaped
  std::string style;  // a CSS class of the style sheet
  std::vector<std::pair<int64_t, double>>
      points;  // ascending by step; not finite ones are left out
};

// Axes with round numbers, a legend, and each curve (a single point as a dot). No axis goes above
// `most`, the highest value there can be. Empty when there is nothing to draw.
std::string CurvesSvg(const std::vector<Curve>& curves,
                      double most = std::numeric_limits<double>::infinity());

// Round values for an axis from `low` to `high`, about `most` of them, covering both ends.
std::vector<double> Ticks(double low, double high, int most);

}  // namespace coxswain::coordinator::http
