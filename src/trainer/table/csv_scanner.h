// Where rows of a CSV file end (RFC 4180: quotes may hold line ends), so that the file can be cut
// into pieces that are read in any order. Pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace coxswain::trainer::table {

// Whole rows that follow each other.
struct CsvPiece {
  int64_t offset = 0, bytes = 0;  // in the file
  int64_t rows = 0;               // empty lines are none
  int64_t line = 0;               // of the file, counted from 1, in which the first row begins
};

class CsvScanner {
 public:
  // A piece ends with the first row that makes it at least `piece_bytes` long.
  CsvScanner(char delimiter, int64_t piece_bytes)
      : delimiter_(delimiter), piece_bytes_(piece_bytes) {}

  // The next bytes of the file, from its start.
  void Feed(std::string_view bytes);
  // After the last: a row without a line end is whole. False: a quoted value does not end.
  bool Finish();

  // The names' row; its `rows` is 1 once it has been seen whole.
  const CsvPiece& header() const { return header_; }
  const std::vector<CsvPiece>& pieces() const { return pieces_; }
  int64_t rows() const { return rows_; }          // the names' not counted
  int64_t row_line() const { return row_line_; }  // in which the last row begins

 private:
  void EndRow(int64_t end);
  void EndPiece(int64_t end);

  const char delimiter_;
  const int64_t piece_bytes_;
  CsvPiece header_;
  std::vector<CsvPiece> pieces_;
  CsvPiece piece_;  // being read
  int64_t at_ = 0, rows_ = 0;
  int64_t line_ = 1, row_line_ = 0;
  bool after_return_ = false;  // a line end of its own, if no \n follows
  bool quoted_ = false, maybe_end_ = false, value_begins_ = true, row_has_bytes_ = false;
};

}  // namespace coxswain::trainer::table
