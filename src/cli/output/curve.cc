#include "cli/output/curve.h"

#include <algorithm>
#include <cmath>

#include "cli/output/console.h"
#include "cli/output/words.h"

namespace coxswain::cli::output {
namespace {

// Dots, origin at the top left.
class Canvas {
 public:
  Canvas(int columns, int rows, bool unicode)
      : unicode_(unicode), columns_(columns), rows_(rows), cells_(columns * rows, 0) {}
  int width() const { return columns_ * (unicode_ ? 2 : 1); }
  int height() const { return rows_ * (unicode_ ? 4 : 1); }

  void Set(int x, int y) {
    // Unicode's numbering of the eight braille dots.
    static constexpr uint8_t kDots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (!unicode_) {
      cells_[y * columns_ + x] = 1;
    } else {
      cells_[(y / 4) * columns_ + x / 2] |= kDots[y % 4][x % 2];
    }
  }

  std::string Row(int row) const {
    std::string text;
    for (int column = 0; column < columns_; ++column) {
      const uint8_t dots = cells_[row * columns_ + column];
      if (!unicode_) {
        text += dots != 0 ? '*' : ' ';
      } else if (dots == 0) {
        text += ' ';
      } else {  // U+2800 + dots, as UTF-8
        text += static_cast<char>(0xe2);
        text += static_cast<char>(0xa0 | (dots >> 6));
        text += static_cast<char>(0x80 | (dots & 0x3f));
      }
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  }

 private:
  const bool unicode_;
  const int columns_, rows_;
  std::vector<uint8_t> cells_;
};

// One value per dot column: the mean of its points, gaps bridged linearly.
std::vector<double> Resample(const std::vector<CurvePoint>& points, int width) {
  std::vector<double> sums(width, 0), out(width, 0);
  std::vector<int> counts(width, 0);
  const double first = static_cast<double>(points.front().x);
  const double span = std::max(1.0, static_cast<double>(points.back().x) - first);
  for (const CurvePoint& point : points) {
    const int at =
        static_cast<int>((static_cast<double>(point.x) - first) / span * (width - 1) + 0.5);
    sums[at] += point.y;
    ++counts[at];
  }
  int last = 0;
  for (int i = 0; i < width; ++i) {
    if (counts[i] == 0) continue;
    out[i] = sums[i] / counts[i];
    for (int gap = last + 1; gap < i; ++gap) {
      out[gap] = out[last] + (out[i] - out[last]) * (gap - last) / (i - last);
    }
    last = i;
  }
  return out;
}

void Draw(const std::vector<double>& values, double low, double high, Canvas* canvas) {
  const auto row_of = [&](double value) {
    return static_cast<int>((high - value) / (high - low) * (canvas->height() - 1) + 0.5);
  };
  int previous = row_of(values[0]);
  for (int x = 0; x < static_cast<int>(values.size()); ++x) {
    const int y = row_of(values[x]);
    // A steep part is a line, not lonely dots.
    const int step = y > previous ? 1 : -1;
    for (int at = previous; at != y; at += step) canvas->Set(x, at);
    canvas->Set(x, y);
    previous = y;
  }
}

std::string RightAligned(const std::string& text, size_t width) {
  return std::string(width - std::min(width, text.size()), ' ') + text;
}

std::string Axis(const std::vector<CurvePoint>& points, const CurveStyle& style, int columns) {
  const std::string left = style.x_name + " " + Count(points.front().x);
  const std::string right = Count(points.back().x);
  const int gap = columns - static_cast<int>(left.size() + right.size());
  return left + std::string(std::max(1, gap), ' ') + right;
}

}  // namespace

std::string DrawCurve(const std::vector<CurvePoint>& all, const CurveStyle& style) {
  std::vector<CurvePoint> points;
  for (const CurvePoint& point : all) {
    if (std::isfinite(point.y)) points.push_back(point);
  }
  if (points.size() < 2 || points.front().x == points.back().x) return "";
  constexpr int kLabel = 9;
  const int columns = std::max(30, style.columns) - kLabel - 2;
  const int rows = std::max(4, style.rows);
  Canvas canvas(columns, rows, style.unicode);
  const std::vector<double> values = Resample(points, canvas.width());
  double low = *std::min_element(values.begin(), values.end());
  double high = *std::max_element(values.begin(), values.end());
  if (high - low < 1e-12) {
    low -= 0.5;
    high += 0.5;
  }
  Draw(values, low, high, &canvas);
  std::string out = RightAligned(style.title, kLabel) + "\n";
  for (int row = 0; row < rows; ++row) {
    std::string label;
    if (row == 0) label = Number(high);
    if (row == rows - 1) label = Number(low);
    if (row == rows / 2) label = Number(high - (high - low) * row / (rows - 1));
    out +=
        RightAligned(label, kLabel) + (style.unicode ? " \u2502" : " |") + canvas.Row(row) + "\n";
  }
  std::string line;
  for (int i = 0; i < columns; ++i) line += style.unicode ? "\u2500" : "-";
  out += std::string(kLabel + 1, ' ') + (style.unicode ? "\u2514" : "+") + line + "\n";
  return out + std::string(kLabel + 2, ' ') + Axis(points, style, columns) + "\n";
}

}  // namespace coxswain::cli::output
