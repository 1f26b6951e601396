#include "trainer/table/csv_scanner.h"

namespace coxswain::trainer::table {

void CsvScanner::Feed(std::string_view bytes) {
  for (char c : bytes) {
    ++at_;
    line_ += after_return_ && c != '\n';
    after_return_ = c == '\r';
    if (quoted_) {
      line_ += c == '\n';
      if (c == '"') quoted_ = false, maybe_end_ = true;
      continue;
    }
    if (maybe_end_) {
      maybe_end_ = false;
      if (c == '"') {  // two are one within quotes
        quoted_ = true;
        continue;
      }
    }
    if (c == '\n' || c == '\r') {
      value_begins_ = true;
      if (row_has_bytes_) EndRow(at_);
      line_ += c == '\n';
      continue;
    }
    if (!row_has_bytes_) row_line_ = line_;
    row_has_bytes_ = true;
    quoted_ = value_begins_ && c == '"';
    value_begins_ = c == delimiter_;
  }
}

void CsvScanner::EndRow(int64_t end) {
  row_has_bytes_ = false;
  if (header_.rows == 0) {
    header_.bytes = end - header_.offset;
    header_.rows = 1;
    header_.line = row_line_;
    piece_.offset = end;
    return;
  }
  if (piece_.rows++ == 0) piece_.line = row_line_;
  ++rows_;
  if (end - piece_.offset >= piece_bytes_) EndPiece(end);
}

void CsvScanner::EndPiece(int64_t end) {
  piece_.bytes = end - piece_.offset;
  if (piece_.rows > 0) pieces_.push_back(piece_);
  piece_ = {end, 0, 0, 0};
}

bool CsvScanner::Finish() {
  if (quoted_) return false;
  if (row_has_bytes_) EndRow(at_);
  if (header_.rows > 0) EndPiece(at_);
  return true;
}

}  // namespace coxswain::trainer::table
