#include "trainer/engine/data/table/table_dataset.h"

#include <utility>

#include "trainer/engine/data/sample_order.h"
#include "trainer/engine/data/table/streamed_dataset.h"

namespace coxswain::trainer::data {
namespace {

constexpr int64_t kMostInMemory = INT64_C(0xffffffff);  // rows, as EpochOrder has it

class StoreReader : public SampleReader {
 public:
  StoreReader(const RowStore& rows, const ReaderSettings& settings)
      : store_(rows), settings_(settings), order_(settings.seed, rows.size()) {}

  absl::Status Read(int64_t epoch, int64_t begin, int64_t end, Rows& rows) override {
    store_.Begin(end - begin, settings_.float64, rows);
    for (int64_t place = begin; place < end; ++place) {
      store_.Copy(order_.At(epoch, place), place - begin, settings_.float64, rows);
    }
    return absl::OkStatus();
  }

 private:
  const RowStore& store_;
  const ReaderSettings settings_;
  OrderInMemory order_;
};

class StoredDataset : public TableDataset {
 public:
  StoredDataset(std::shared_ptr<const TableSource> source,
                std::shared_ptr<const Preprocessing> preprocessing)
      : TableDataset(std::move(source), std::move(preprocessing)), rows_(shape_) {}

  absl::Status Load(std::vector<GroupValues> groups) {
    rows_.Reserve(source_->size());
    for (size_t i = 0; i < source_->groups().size(); ++i) {
      GroupValues values;
      if (i < groups.size()) {
        values = std::exchange(groups[i], {});  // freed as soon as it is copied
      } else {
        auto read = source_->Read(i);
        if (!read.ok()) return read.status();
        values = *std::move(read);
      }
      if (absl::Status added = encoder_.Append(i, values, &rows_); !added.ok()) return added;
    }
    return absl::OkStatus();
  }

  std::unique_ptr<SampleReader> MakeReader(const ReaderSettings& settings) const override {
    return std::make_unique<StoreReader>(rows_, settings);
  }

 private:
  RowStore rows_;
};

}  // namespace

bool FitsInMemory(const TableSource& source) {
  return source.size() <= kMostInMemory &&
         source.size() <= source.spec().buffer_bytes / source.columns().row_bytes();
}

absl::StatusOr<std::unique_ptr<Dataset>> MakeTableDataset(
    std::shared_ptr<const TableSource> source, std::shared_ptr<const Preprocessing> preprocessing,
    std::vector<GroupValues> groups) {
  if (!FitsInMemory(*source)) {
    return std::make_unique<StreamedDataset>(std::move(source), std::move(preprocessing));
  }
  auto stored = std::make_unique<StoredDataset>(std::move(source), std::move(preprocessing));
  absl::Status loaded = stored->Load(std::move(groups));
  if (!loaded.ok()) return loaded;
  return stored;
}

}  // namespace coxswain::trainer::data
