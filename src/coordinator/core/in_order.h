#pragma once

#include <utility>

namespace coxswain::coordinator::core {

// Looks up keys of a map one after the other, each greater than the last: as many of its entries as
// lie between two of them are stepped over, rather than searched from the root, while they are few.
template <class Map>
class InOrder {
 public:
  explicit InOrder(Map& map) : map_(map), at_(map.begin()) {}

  // nullptr: it is not there.
  auto* Find(const typename Map::key_type& key) {
    for (int steps = 0; at_ != map_.end() && at_->first < key; ++at_) {
      if (++steps > kMostSteps) {
        at_ = map_.lower_bound(key);
        break;
      }
    }
    return at_ == map_.end() || key < at_->first ? nullptr : &at_->second;
  }

 private:
  static constexpr int kMostSteps = 4;
  Map& map_;
  decltype(std::declval<Map&>().begin()) at_;
};

}  // namespace coxswain::coordinator::core
