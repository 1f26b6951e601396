// csv_to_parquet FROM TO ROWS: a CSV file as a Parquet file with row groups of so many rows.
#include <arrow/csv/api.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <parquet/arrow/writer.h>

#include <cstdio>
#include <cstdlib>

namespace {

arrow::Status Convert(const char* from, const char* to, int64_t rows) {
  ARROW_ASSIGN_OR_RAISE(auto input, arrow::io::ReadableFile::Open(from));
  ARROW_ASSIGN_OR_RAISE(auto reader,
                        arrow::csv::TableReader::Make(arrow::io::default_io_context(), input,
                                                      arrow::csv::ReadOptions::Defaults(),
                                                      arrow::csv::ParseOptions::Defaults(),
                                                      arrow::csv::ConvertOptions::Defaults()));
  ARROW_ASSIGN_OR_RAISE(auto table, reader->Read());
  ARROW_ASSIGN_OR_RAISE(auto output, arrow::io::FileOutputStream::Open(to));
  ARROW_RETURN_NOT_OK(
      parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), output, rows));
  return output->Close();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  arrow::Status status = Convert(argv[1], argv[2], std::atoll(argv[3]));
  if (!status.ok()) std::fprintf(stderr, "csv_to_parquet: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
