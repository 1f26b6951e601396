#include "sim/stream.h"

#include <algorithm>

namespace coxswain::sim {

constexpr base::Duration kKeepAlive = base::seconds(11);

void Stream::Send(size_t to, std::function<void()> deliver) {
  if (!ends_[1 - to].open) return;  // this end has been closed
  base::Time at = queue_.now() + dice_.Between(path_.delay_low, path_.delay_high);
  last_[to] = std::max(at, last_[to] + base::Duration(1));
  queue_.At(last_[to], [self = shared_from_this(), to, deliver = std::move(deliver)]() mutable {
    self->Arrive(to, std::move(deliver));
  });
}

void Stream::Arrive(size_t to, std::function<void()> deliver) {
  if (!ends_[to].open) return;
  if (Cut(to) || !held_[to].empty()) {
    held_[to].push_back(std::move(deliver));
  } else {
    deliver();
  }
}

void Stream::Flush() {
  for (size_t to : {0, 1}) {
    while (!Cut(to) && !held_[to].empty() && ends_[to].open) {
      std::function<void()> deliver = std::move(held_[to].front());
      held_[to].pop_front();
      deliver();
    }
  }
}

void Stream::Close(size_t from, const std::string& why, bool silently) {
  if (!ends_[from].open) return;
  size_t to = 1 - from;
  if (!silently) Send(to, [this, to, why] { Finish(to, why); });
  ends_[from].open = false;
  ends_[from].broken = nullptr;
  held_[from].clear();
  queue_.After(kKeepAlive, [weak = weak_from_this(), to] {
    if (auto self = weak.lock()) self->Finish(to, "keep-alive: the other side does not answer");
  });
}

void Stream::Break(const std::string& why) {
  Finish(0, why);
  Finish(1, why);
}

void Stream::Finish(size_t which, const std::string& why) {
  if (!ends_[which].open) return;
  ends_[which].open = false;
  held_[which].clear();
  auto broken = std::move(ends_[which].broken);
  ends_[which].broken = nullptr;
  if (broken) broken(why);
}

}  // namespace coxswain::sim
