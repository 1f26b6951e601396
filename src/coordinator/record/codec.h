// Values as bytes, and back. Numbers are of variable length, signed ones in zigzag; strings and
// containers begin with their size; a struct is its fields in order. What the bytes mean follows
// from the types alone: see Layout() in segment.h.
#pragma once

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/base/ids.h"
#include "common/base/rng.h"
#include "coordinator/core/soft.h"
#include "coordinator/record/fields.h"

namespace coxswain::coordinator::record {

class Writer {
 public:
  explicit Writer(std::string* out) : out_(*out) {}
  void Number(uint64_t number) {
    for (; number >= 0x80; number >>= 7) out_.push_back(static_cast<char>(number | 0x80));
    out_.push_back(static_cast<char>(number));
  }
  void Bytes(std::string_view bytes) { out_.append(bytes); }

 private:
  std::string& out_;
};

// The same values give the same hash on every machine.
class Hasher {
 public:
  void Number(uint64_t number) { state_ = base::Mix64(state_ ^ number); }
  void Bytes(std::string_view bytes) {
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) Number(Word(bytes, 8));
    if (!bytes.empty()) Number(Word(bytes, bytes.size()));
  }
  uint64_t value() const { return state_; }

 private:
  static uint64_t Word(std::string_view bytes, size_t size) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), size);
    return word;
  }
  uint64_t state_ = 0x5bd1e995;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  // False: the bytes are not such a value; what was read is void.
  bool ok() const { return ok_; }
  bool AtEnd() const { return left_.empty(); }

  uint64_t Number() {
    uint64_t number = 0;
    for (int shift = 0; shift < 64 && !left_.empty(); shift += 7) {
      auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      number |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return number;
    }
    return Fail(), 0;
  }
  // Of what follows: never more than there are bytes.
  size_t Size() {
    uint64_t size = Number();
    if (size <= left_.size()) return size;
    return Fail(), 0;
  }
  std::string_view Bytes(size_t size) {
    std::string_view bytes = left_.substr(0, size);
    left_.remove_prefix(bytes.size());
    return bytes;
  }
  void Fail() { ok_ = false, left_ = {}; }

 private:
  std::string_view left_;
  bool ok_ = true;
};

template <class T, template <class...> class Of>
constexpr bool kIs = false;
template <template <class...> class Of, class... Args>
constexpr bool kIs<Of<Args...>, Of> = true;

template <class T>
constexpr bool kIsSet = kIs<T, std::set>;
template <class T>
constexpr bool kIsList = kIs<T, std::vector> || kIs<T, std::deque>;
template <class T>
constexpr bool kIsTagged = kIs<T, base::Number> || kIs<T, base::Name>;

template <class Sink, class T>
void Put(Sink& sink, const T& value) {
  if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool> || std::is_unsigned_v<T>) {
    sink.Number(static_cast<uint64_t>(value));
  } else if constexpr (std::is_integral_v<T>) {
    auto wide = static_cast<int64_t>(value);
    sink.Number(static_cast<uint64_t>(wide) << 1 ^ static_cast<uint64_t>(wide >> 63));
  } else if constexpr (std::is_same_v<T, double>) {
    sink.Number(std::bit_cast<uint64_t>(value));
  } else if constexpr (std::is_same_v<T, std::string>) {
    sink.Number(value.size());
    sink.Bytes(value);
  } else if constexpr (std::is_same_v<T, base::Duration>) {
    Put(sink, static_cast<int64_t>(value.count()));
  } else if constexpr (kIsTagged<T>) {
    Put(sink, value.value);
  } else if constexpr (kIs<T, std::optional>) {
    Put(sink, value.has_value());
    if (value) Put(sink, *value);
  } else if constexpr (kIsList<T> || kIsSet<T>) {
    sink.Number(value.size());
    for (const auto& each : value) Put(sink, each);
  } else if constexpr (kIs<T, std::map>) {
    sink.Number(value.size());
    for (const auto& [key, each] : value) Put(sink, key), Put(sink, each);
  } else if constexpr (kIs<T, std::variant>) {
    sink.Number(value.index());
    std::visit([&](const auto& each) { Put(sink, each); }, value);
  } else if constexpr (kIs<T, core::TimerTable>) {
    Put(sink, value.all());
  } else if constexpr (std::is_same_v<T, core::PlacementView>) {
    Put(sink, value.nodes());
  } else {
    VisitFields(value, [&](const auto& field) { Put(sink, field); });
  }
}

template <class T>
void Take(Reader& in, T* value);

template <class Variant, size_t I = 0>
void TakeVariant(Reader& in, size_t index, Variant* value) {
  if constexpr (I == std::variant_size_v<Variant>) {
    in.Fail();
  } else if (index == I) {
    Take(in, &value->template emplace<I>());
  } else {
    TakeVariant<Variant, I + 1>(in, index, value);
  }
}

template <class T>
void TakeContainer(Reader& in, T* value) {
  value->clear();
  for (size_t left = in.Size(); left > 0 && in.ok(); --left) {
    if constexpr (kIs<T, std::map>) {
      typename T::key_type key;
      Take(in, &key);
      Take(in, &(*value)[key]);
    } else {
      typename T::value_type each;
      Take(in, &each);
      value->insert(value->end(), std::move(each));
    }
  }
}

template <class T>
void Take(Reader& in, T* value) {
  if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool> || std::is_unsigned_v<T>) {
    *value = static_cast<T>(in.Number());
  } else if constexpr (std::is_integral_v<T>) {
    uint64_t bits = in.Number();
    *value = static_cast<T>(static_cast<int64_t>(bits >> 1 ^ (~(bits & 1) + 1)));
  } else if constexpr (std::is_same_v<T, double>) {
    *value = std::bit_cast<double>(in.Number());
  } else if constexpr (std::is_same_v<T, std::string>) {
    *value = in.Bytes(in.Size());
  } else if constexpr (std::is_same_v<T, base::Duration>) {
    int64_t count = 0;
    Take(in, &count);
    *value = base::Duration(count);
  } else if constexpr (kIsTagged<T>) {
    Take(in, &value->value);
  } else if constexpr (kIs<T, std::optional>) {
    bool has = false;
    Take(in, &has);
    value->reset();
    if (has) Take(in, &value->emplace());
  } else if constexpr (kIsList<T> || kIsSet<T> || kIs<T, std::map>) {
    TakeContainer(in, value);
  } else if constexpr (kIs<T, std::variant>) {
    TakeVariant(in, in.Number(), value);
  } else if constexpr (kIs<T, core::TimerTable>) {
    std::decay_t<decltype(value->all())> all;
    Take(in, &all);
    for (const auto& [owner, at] : all) value->Wake(owner, at);
  } else if constexpr (std::is_same_v<T, core::PlacementView>) {
    core::PlacementView::Nodes nodes;
    Take(in, &nodes);
    *value = core::PlacementView(std::move(nodes));
  } else {
    VisitFields(*value, [&](auto& field) { Take(in, &field); });
  }
}

}  // namespace coxswain::coordinator::record
