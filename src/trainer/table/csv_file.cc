#include "trainer/table/csv_file.h"

#include <arrow/buffer.h>
#include <arrow/csv/api.h>
#include <arrow/io/memory.h>
#include <arrow/scalar.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/utf8.h>

#include <algorithm>
#include <limits>

#include "trainer/table/arrow_values.h"
#include "trainer/table/csv_values.h"

namespace coxswain::trainer::table {
namespace {

constexpr int64_t kReadBytes = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

const char* NameOf(data::ColumnKind kind) {
  switch (kind) {
    case data::ColumnKind::kNumber:
      return "number";
    case data::ColumnKind::kBool:
      return "true or false";
    case data::ColumnKind::kTime:
      return "date or time";
    default:
      return "text";
  }
}

std::string TextAt(const arrow::ChunkedArray& values, int64_t row) {
  const auto scalar = values.GetScalar(row);
  std::string text = scalar.ok() ? (*scalar)->ToString() : "";
  arrow::util::InitializeUTF8();
  if (arrow::util::ValidateUTF8(text)) return text;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; }, '?');
  return text;
}

constexpr char kNotUtf8[] = "found a text that is not UTF-8 (Latin-1?); write the file as UTF-8";

// Row of the first text that is not; below 0: all are.
int64_t FirstNotUtf8(const arrow::ChunkedArray& column) {
  arrow::util::InitializeUTF8();
  int64_t row = 0;
  for (const auto& chunk : column.chunks()) {
    const auto& texts = static_cast<const arrow::BinaryArray&>(*chunk);
    for (int64_t i = 0; i < texts.length(); ++i, ++row) {
      if (!texts.IsNull(i) && !arrow::util::ValidateUTF8(texts.GetView(i))) return row;
    }
  }
  return -1;
}

std::string CountText(int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

absl::Status CsvFile::Wrong(const std::string& what) const {
  return absl::FailedPreconditionError(uri() + ": " + what);
}

int64_t CsvFile::LineOf(const CsvPiece& piece, int64_t row) const {
  if (row == 0) return piece.line;
  std::string bytes(static_cast<size_t>(piece.bytes), '\0');
  if (!input_->ReadRange(piece.offset, piece.bytes, bytes.data()).ok()) return 0;
  // Every row a piece; the first is taken for that of the names.
  CsvScanner rows(delimiter_, 1);
  rows.Feed(bytes);
  rows.Finish();
  const auto at = static_cast<size_t>(row - 1);
  if (at >= rows.pieces().size()) return 0;
  return piece.line + rows.pieces()[at].line - rows.header().line;
}

std::string CsvFile::LineText(const CsvPiece& piece, int64_t row) const {
  const int64_t line = LineOf(piece, row);
  return line > 0 ? "line " + std::to_string(line)
                  : "row " + std::to_string(row) + " after line " + std::to_string(piece.line);
}

std::string CsvFile::PlaceOf(size_t group, int64_t row) const {
  return LineText(pieces_[group], row);
}

absl::StatusOr<std::unique_ptr<data::TableFile>> CsvFile::Open(std::shared_ptr<BlobInput> input,
                                                               const TableFormat& format) {
  std::unique_ptr<CsvFile> file(new CsvFile(std::move(input), format.delimiter));
  if (absl::Status scanned = file->Scan(format); !scanned.ok()) return scanned;
  if (absl::Status judged = file->JudgeColumns(); !judged.ok()) return judged;
  return file;
}

absl::Status CsvFile::Scan(const TableFormat& format) {
  CsvScanner scanner(delimiter_, format.piece_bytes);
  const int64_t step = std::min(kReadBytes, format.piece_bytes);
  std::string bytes;
  int64_t at = 0;
  while (at < input_->bytes()) {
    bytes.resize(static_cast<size_t>(std::min(step, input_->bytes() - at)));
    absl::Status read = input_->ReadRange(at, static_cast<int64_t>(bytes.size()), bytes.data());
    if (!read.ok()) return read;
    if (at == 0 && std::string_view(bytes).starts_with("PAR1")) {
      return Wrong("a Parquet file, but spec.data.format is csv");
    }
    if (at == 0 && std::string_view(bytes).starts_with("\x1f\x8b")) {
      return Wrong("packed by gzip; unpack it, or use Parquet, which packs its values itself");
    }
    scanner.Feed(bytes);
    at += static_cast<int64_t>(bytes.size());
    if (format.look_only && !scanner.pieces().empty()) break;
  }
  const bool whole = at == input_->bytes();
  if (whole && !scanner.Finish()) {
    return Wrong("a quoted value of the row that begins in line " +
                 std::to_string(scanner.row_line()) +
                 " does not end: the file is cut short, or has a stray \"");
  }
  if (scanner.header().rows == 0 || (whole && scanner.pieces().empty())) {
    return Wrong("has no row but that of the names");
  }
  if (absl::Status names = ReadNames(scanner.header()); !names.ok()) return names;
  pieces_ = scanner.pieces();
  if (!format.look_only || whole) {
    for (const CsvPiece& piece : pieces_) groups_.push_back(piece.rows);
  }
  return absl::OkStatus();
}

absl::Status CsvFile::ReadNames(const CsvPiece& header) {
  // Read as a row of values, of columns that have no names.
  CsvPiece piece = header;
  char first[3] = {};
  const int64_t mark = std::min<int64_t>(3, piece.bytes);
  if (absl::Status read = input_->ReadRange(0, mark, first); !read.ok()) return read;
  if (std::string_view(first, static_cast<size_t>(mark)) == kByteOrderMark) {
    piece.offset += 3;
    piece.bytes -= 3;
  }
  absl::StatusOr<Texts> texts = ReadTexts(piece, {});
  if (!texts.ok()) return texts.status();
  for (size_t i = 0; i < texts->size(); ++i) {
    const auto& column = *texts->at("f" + std::to_string(i));
    const auto& values = static_cast<const arrow::BinaryArray&>(*column.chunk(0));
    const std::string name = values.IsNull(0) ? "" : std::string(values.GetView(0));
    if (name.empty()) {
      return Wrong("column " + std::to_string(i + 1) + " has no name in the first row");
    }
    if (FirstNotUtf8(column) >= 0) {
      return Wrong("line " + std::to_string(header.line) + ", the name of column " +
                   std::to_string(i + 1) + ": " + kNotUtf8);
    }
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) {
      return Wrong("two columns have the name '" + name + "' in the first row");
    }
    names_.push_back(name);
  }
  return absl::OkStatus();
}

absl::Status CsvFile::JudgeColumns() {
  absl::StatusOr<Texts> texts = ReadTexts(pieces_.front(), names_);
  if (!texts.ok()) return texts.status();
  for (const std::string& name : names_) columns_.push_back(Judge(name, *texts->at(name)));
  return absl::OkStatus();
}

// Of a column of texts that has numbers too: which value is none.
data::ColumnInfo CsvFile::Judge(const std::string& name, const arrow::ChunkedArray& values) const {
  data::ColumnInfo column{name, "", KindOfTexts(values), ""};
  column.type = NameOf(column.kind);
  if (column.kind != data::ColumnKind::kText) return column;
  const NumberCount count = CountNumbers(values);
  if (count.numbers == 0) return column;
  const std::string value = "'" + TextAt(values, count.first_other) + "' in " +
                            LineText(pieces_.front(), count.first_other);
  column.type += " (" + value + ")";
  if (count.others * 10 > count.numbers) return column;
  column.stray = CountText(count.others, "value") + " of " +
                 std::to_string(count.numbers + count.others) +
                 (count.others == 1 ? " is no number: " : " are no numbers, the first: ") + value;
  return column;
}

absl::StatusOr<CsvFile::Texts> CsvFile::ReadTexts(const CsvPiece& piece,
                                                  const std::vector<std::string>& names) const {
  const std::string where = "from line " + std::to_string(piece.line) + " on";
  if (piece.bytes >= std::numeric_limits<int32_t>::max()) {
    return Wrong(where + ": a row of " + std::to_string(piece.bytes) +
                 " bytes: is a quote missing, or a line end of another kind?");
  }
  auto buffer = arrow::AllocateBuffer(piece.bytes);
  if (!buffer.ok()) return input_->Explain(where, buffer.status());
  absl::Status got = input_->ReadRange(piece.offset, piece.bytes,
                                       reinterpret_cast<char*>((*buffer)->mutable_data()));
  if (!got.ok()) return got;

  auto read = arrow::csv::ReadOptions::Defaults();
  read.use_threads = false;
  read.block_size = static_cast<int32_t>(piece.bytes + 1);  // in one go
  read.column_names = names_;
  read.autogenerate_column_names = names_.empty();
  auto parse = arrow::csv::ParseOptions::Defaults();
  parse.delimiter = delimiter_;
  parse.newlines_in_values = true;
  std::string wrong_row;
  int64_t rows_seen = 0;
  parse.invalid_row_handler = [&](const arrow::csv::InvalidRow& row) {
    wrong_row = LineText(piece, row.number - 1) + ": found " +
                CountText(row.actual_columns, "value") + ", expected " +
                std::to_string(row.expected_columns);
    return arrow::csv::InvalidRowResult::Error;
  };
  auto convert = arrow::csv::ConvertOptions::Defaults();
  convert.default_column_type = arrow::binary();
  for (const std::string& name : names_) convert.column_types[name] = arrow::binary();
  convert.null_values = CsvNulls();
  convert.strings_can_be_null = true;
  convert.quoted_strings_can_be_null = false;
  convert.include_columns = names;
  auto reader = arrow::csv::TableReader::Make(
      arrow::io::default_io_context(),
      std::make_shared<arrow::io::BufferReader>(std::shared_ptr<arrow::Buffer>(*std::move(buffer))),
      read, parse, convert);
  if (!reader.ok()) return input_->Explain(where, reader.status());
  auto table = (*reader)->Read();
  if (!wrong_row.empty()) return Wrong(wrong_row);
  if (!table.ok()) return input_->Explain(where, table.status());
  rows_seen = (*table)->num_rows();
  if (rows_seen != piece.rows) {
    return Wrong(where + ": found " + CountText(rows_seen, "row") + ", expected " +
                 std::to_string(piece.rows) + ": has the file been changed since it was opened?");
  }
  Texts texts;
  for (const auto& field : (*table)->schema()->fields()) {
    texts[field->name()] = (*table)->GetColumnByName(field->name());
  }
  return texts;
}

data::ColumnKind CsvFile::KindOf(const std::string& name) const {
  for (const data::ColumnInfo& column : columns_) {
    if (column.name == name) return column.kind;
  }
  return data::ColumnKind::kOther;
}

absl::Status CsvFile::Read(size_t group, const std::vector<data::ColumnRequest>& columns,
                           std::vector<data::ColumnValues>* out) {
  std::vector<std::string> names;
  for (const data::ColumnRequest& column : columns) names.push_back(column.name);
  absl::StatusOr<Texts> texts = ReadTexts(pieces_[group], names);
  if (!texts.ok()) return texts.status();
  out->assign(columns.size(), {});
  for (size_t i = 0; i < columns.size(); ++i) {
    const arrow::ChunkedArray& values = *texts->at(columns[i].name);
    if (columns[i].as == data::ReadAs::kTexts) {
      auto converted = AsTexts(values);
      if (!converted.ok()) {
        if (const int64_t row = FirstNotUtf8(values); row >= 0) {
          return Wrong(PlaceOf(group, row) + ", column '" + columns[i].name + "': " + kNotUtf8);
        }
        return input_->Explain("from line " + std::to_string(pieces_[group].line) +
                                   " on, column '" + columns[i].name + "'",
                               converted.status());
      }
      (*out)[i] = *std::move(converted);
      continue;
    }
    int64_t row = -1;
    const data::ColumnKind kind = KindOf(columns[i].name);
    (*out)[i] = NumbersOfTexts(values, kind, &row);
    if (row < 0) continue;
    const std::string found = TextAt(values, row);
    return Wrong(PlaceOf(group, row) + ", column '" + columns[i].name + "': found '" + found +
                 "', expected a " + NameOf(kind));
  }
  return absl::OkStatus();
}

}  // namespace coxswain::trainer::table
