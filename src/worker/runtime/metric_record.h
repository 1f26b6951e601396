// One batch of metric points as bytes on disk: length, CRC-32, then batch number, points lost
// before it, and the points. A record that was cut short or damaged is known as such.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/protocol/worker_messages.h"

namespace coxswain::worker {

// `batch.job` is not part of the record: the folder tells it.
std::string EncodeRecord(const protocol::MetricBatch& batch);

// The record at the front of `bytes`; `size` is set to its length. Nothing if it is not complete
// and sound.
std::optional<protocol::MetricBatch> DecodeRecord(std::string_view bytes, size_t* size);

}  // namespace coxswain::worker
