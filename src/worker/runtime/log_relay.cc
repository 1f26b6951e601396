#include "worker/runtime/log_relay.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace coxswain::worker {
namespace {

constexpr size_t kPartBytes = 64 << 10;

}  // namespace

LogRelay::LogRelay(process::FdWatch& watch, Doors doors)
    : watch_(watch), doors_(std::move(doors)), inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (inotify_ >= 0) watch_.Watch(inotify_, [this] { TakeNotices(); });
}

LogRelay::~LogRelay() {
  if (inotify_ < 0) return;
  watch_.Forget(inotify_);
  close(inotify_);
}

void LogRelay::Serve(const protocol::ReadLog& order) {
  auto old = requests_.find(order.request);
  if (old != requests_.end()) Remove(old);
  if (order.cancel) return;
  Request request{order, process::LogFiles(doors_.folder_of(order.key), order.stderr_stream)};
  std::string error;
  if (!Begin(request, error)) return Fail(order, std::move(error));
  auto [it, inserted] = requests_.emplace(order.request, std::move(request));
  if (!PumpRequest(it->second)) Remove(it);
}

bool LogRelay::Begin(Request& request, std::string& error) {
  const protocol::ReadLog& order = request.order;
  if (order.follow && inotify_ >= 0) {
    request.watch = inotify_add_watch(inotify_, request.files.folder().c_str(),
                                      IN_MODIFY | IN_CREATE | IN_MOVED_TO);
  }
  absl::StatusOr<process::LogRange> range = request.files.Range();
  if (!range.ok()) {
    if (doors_.live(order.key) && order.follow) return true;  // its shim is just being started
    error =
        "this worker has no log of that rank: it never ran here, or its log is over its "
        "retention time";
    return false;
  }
  request.offset = order.offset;
  if (order.tail_lines > 0) {
    request.offset = request.files.TailOffset(order.tail_lines).value_or(range->oldest);
  } else if (order.offset == 0) {
    request.offset = range->oldest;
  }
  return true;
}

void LogRelay::Fail(const protocol::ReadLog& order, std::string error) {
  protocol::LogData data;
  data.request = order.request;
  data.error = std::move(error);
  data.end = data.eof = true;
  doors_.send(data);
}

void LogRelay::Pump() {
  for (auto it = requests_.begin(); it != requests_.end();) {
    auto next = std::next(it);
    if (!PumpRequest(it->second)) Remove(it);
    it = next;
  }
}

bool LogRelay::PumpRequest(Request& request) {
  while (true) {
    // Asked before the read: a rank that is over by then has written all it ever will.
    bool live = request.order.follow && doors_.live(request.order.key);
    absl::StatusOr<std::string> data = request.files.Read(request.offset, kPartBytes);
    uint64_t oldest = 0;
    std::string note;
    if (absl::IsOutOfRange(data.status())) {
      note = std::string(data.status().message());
      oldest = request.files.Range().value_or(process::LogRange{}).oldest;
      request.offset = oldest;
      data = request.files.Read(request.offset, kPartBytes);
    }
    if (absl::IsNotFound(data.status()) && live) return true;
    if (!data.ok()) {
      Fail(request.order, std::string(data.status().message()));
      return false;
    }
    if (data->empty() && live) return true;
    bool last = data->empty();
    if (!SendPart(request, std::move(*data), std::move(note), oldest)) return true;
    if (last) return false;
  }
}

bool LogRelay::SendPart(Request& request, std::string text, std::string note, uint64_t oldest) {
  protocol::LogData data;
  data.request = request.order.request;
  data.offset = request.offset;
  data.end = data.eof = text.empty();
  data.error = std::move(note);
  data.oldest_offset = oldest;
  uint64_t next = request.offset + text.size();
  data.data = std::move(text);
  if (!doors_.send(data)) return false;
  request.offset = next;
  return true;
}

void LogRelay::RankEnded(const protocol::RankKey& key) {
  for (auto it = requests_.begin(); it != requests_.end();) {
    auto next = std::next(it);
    if (it->second.order.key == key && !PumpRequest(it->second)) Remove(it);
    it = next;
  }
}

void LogRelay::Clear() {
  while (!requests_.empty()) Remove(requests_.begin());
}

void LogRelay::Remove(std::map<uint64_t, Request>::iterator it) {
  int watch = it->second.watch;
  requests_.erase(it);
  // One watch serves all requests on the same folder.
  bool used = std::any_of(requests_.begin(), requests_.end(),
                          [&](const auto& other) { return other.second.watch == watch; });
  if (watch >= 0 && !used) inotify_rm_watch(inotify_, watch);
}

void LogRelay::TakeNotices() {
  alignas(inotify_event) char buffer[4096];
  std::vector<int> touched;
  ssize_t n;
  while ((n = read(inotify_, buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
      touched.push_back(event->wd);
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
  }
  for (auto it = requests_.begin(); it != requests_.end();) {
    auto next = std::next(it);
    bool mine = std::find(touched.begin(), touched.end(), it->second.watch) != touched.end() ||
                std::find(touched.begin(), touched.end(), -1) != touched.end();  // overflow
    if (mine && !PumpRequest(it->second)) Remove(it);
    it = next;
  }
}

}  // namespace coxswain::worker
