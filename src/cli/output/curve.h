// A curve drawn with characters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace coxswain::cli::output {

struct CurvePoint {
  int64_t x = 0;
  double y = 0;
};

struct CurveStyle {
  std::string title;    // "loss"
  std::string x_name;   // "step"
  int columns = 72;     // of the whole picture, at least 30
  int rows = 12;        // of the drawing, at least 4
  bool unicode = true;  // braille dots (2 x 4 per character); else '*'
};

// Points in ascending x. Each dot column shows the mean of its points; gaps are bridged. Points
// whose y is not finite are left out. Every line ends in '\n'; empty for fewer than two points.
std::string DrawCurve(const std::vector<CurvePoint>& points, const CurveStyle& style);

}  // namespace coxswain::cli::output
