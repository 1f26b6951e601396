// Tables whose rows become blocks on a phone (page_assets.cc): each cell then has its heading
// beside it, and nothing is wider than the screen.
#pragma once

#include <array>
#include <string>

#include "absl/strings/str_cat.h"

namespace coxswain::coordinator::http {

struct Column {
  const char* heading;
  bool text = false;  // may take several lines; otherwise a number, a name or a time, on one line
};

template <size_t kColumns>
struct Columns {
  std::array<Column, kColumns> columns;

  // The cells are HTML; an empty one is shown as a dash.
  std::string Row(const std::array<std::string, kColumns>& cells) const {
    std::string out = "<tr>";
    for (size_t i = 0; i < kColumns; ++i) {
      absl::StrAppend(&out, "<td", columns[i].text ? "" : " class=\"num\"", " data-label=\"",
                      columns[i].heading, "\"><div>", cells[i].empty() ? "–" : cells[i],
                      "</div></td>");
    }
    return out + "</tr>";
  }
  std::string Table(const std::string& rows) const {
    std::string out = "<div class=\"wide\"><table class=\"stack\"><thead><tr>";
    for (const Column& column : columns) absl::StrAppend(&out, "<th>", column.heading, "</th>");
    return out + "</tr></thead><tbody>" + rows + "</tbody></table></div>";
  }
};

}  // namespace coxswain::coordinator::http
