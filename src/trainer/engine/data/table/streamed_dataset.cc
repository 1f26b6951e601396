#include "trainer/engine/data/table/streamed_dataset.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/base/check.h"
#include "trainer/engine/data/table/window_order.h"

namespace coxswain::trainer::data {
namespace {

constexpr int64_t kMostRows = int64_t{1} << 30;  // of a window

std::vector<int64_t> RowsOf(const TableSource& source) {
  std::vector<int64_t> rows;
  for (const RowGroup& group : source.groups()) rows.push_back(group.taken);
  return rows;
}

}  // namespace

class StreamedReader : public SampleReader {
 public:
  StreamedReader(const StreamedDataset& set, const ReaderSettings& settings)
      : set_(set),
        settings_(settings),
        order_(RowsOf(*set.source_), set.window(), settings.seed),
        group_(set.shape_),
        current_(set.shape_),
        next_(set.shape_) {}

  absl::Status Read(int64_t epoch, int64_t begin, int64_t end, Rows& rows) override {
    current_.rows.Begin(end - begin, settings_.float64, rows);
    for (int64_t place = begin; place < end;) {
      const int64_t window = order_.WindowOf(place);
      if (absl::Status status = MoveTo(epoch, window); !status.ok()) return status;
      const int64_t first = order_.WindowBegin(window);
      const int64_t stop = std::min(end, first + order_.WindowSize(window));
      for (; place < stop; ++place) {
        const auto in = static_cast<size_t>(place - first);
        const int64_t row = current_.places.empty() ? place - first : current_.places[in];
        current_.rows.Copy(row, place - begin, settings_.float64, rows);
      }
      if (absl::Status status = FillNext(place - first); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  struct Window {
    explicit Window(const SampleShape& shape) : rows(shape) {}
    bool Is(int64_t of_epoch, int64_t of_index) const {
      return index == of_index && epoch == of_epoch;
    }
    int64_t epoch = 0, index = -1;  // below 0: none
    std::vector<uint32_t> places;   // row at each place; empty: each its own
    RowStore rows;
  };

  // Makes a window of any place the current one.
  absl::Status MoveTo(int64_t epoch, int64_t index) {
    if (current_.Is(epoch, index)) return absl::OkStatus();
    if (!next_.Is(epoch, index)) Start(epoch, index);
    std::swap(current_, next_);
    next_.index = -1;
    // Before any of the next: its rows come after these.
    return Fill(current_, order_.WindowSize(index));
  }

  // Makes `next_` an empty window, to be filled from where it begins.
  void Start(int64_t epoch, int64_t index) {
    const bool follows = filled_epoch_ == epoch && filled_ == order_.WindowBegin(index);
    next_.epoch = epoch;
    next_.index = index;
    next_.rows.Clear();
    next_.places = order_.Rows(epoch, index);
    if (follows) return;
    if (filled_epoch_ != epoch || groups_.empty()) groups_ = order_.Groups(epoch);
    filled_epoch_ = epoch;
    filled_ = order_.WindowBegin(index);
    at_ = order_.Begin(index, groups_);
    has_group_ = false;
  }

  // `used` rows of the current window have been given away: as much of the next should be there.
  absl::Status FillNext(int64_t used) {
    const int64_t size = order_.WindowSize(current_.index);
    if (next_.index < 0) {
      const bool last = current_.index + 1 == order_.windows();
      if (last && current_.epoch < 0) return absl::OkStatus();
      Start(current_.epoch + (last ? 1 : 0), last ? 0 : current_.index + 1);
    }
    const int64_t wanted = order_.WindowSize(next_.index);
    return Fill(next_, static_cast<int64_t>(static_cast<double>(wanted) *
                                            static_cast<double>(used) / static_cast<double>(size)));
  }

  // The stream stands behind the window's last row.
  absl::Status Fill(Window& window, int64_t rows) {
    while (window.rows.size() < rows) {
      if (!has_group_) {
        CHECK(at_.group < groups_.size()) << "the stream has ended before its window";
        const size_t group = groups_[at_.group];
        group_.Clear();
        auto values = set_.source_->Read(group);
        if (!values.ok()) return values.status();
        absl::Status encoded = set_.encoder_.Append(group, *values, &group_);
        if (!encoded.ok()) return encoded;
        has_group_ = true;
      }
      const int64_t count = std::min(order_.WindowSize(window.index) - window.rows.size(),
                                     group_.size() - at_.offset);
      window.rows.Append(group_, at_.offset, at_.offset + count);
      at_.offset += count;
      filled_ += count;
      if (at_.offset < group_.size()) continue;
      ++at_.group;
      at_.offset = 0;
      has_group_ = false;
    }
    return absl::OkStatus();
  }

  const StreamedDataset& set_;
  const ReaderSettings settings_;
  const WindowOrder order_;

  // The stream: groups of an epoch, and how far it has been read.
  std::vector<uint32_t> groups_;
  int64_t filled_epoch_ = -2, filled_ = 0;
  GroupPlace at_;
  bool has_group_ = false;
  RowStore group_;  // at_'s

  Window current_, next_;
};

int64_t StreamedDataset::window() const {
  const int64_t rows = source_->spec().buffer_bytes / 4 / source_->columns().row_bytes();
  return std::clamp<int64_t>(rows, 1, std::min(kMostRows, std::max<int64_t>(1, size())));
}

std::unique_ptr<SampleReader> StreamedDataset::MakeReader(const ReaderSettings& settings) const {
  return std::make_unique<StreamedReader>(*this, settings);
}

}  // namespace coxswain::trainer::data
