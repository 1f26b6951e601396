#include "coordinator/store/row_json.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "coordinator/store/row_fields.h"

namespace coxswain::coordinator::store {
namespace {

using nlohmann::json;

// Straight into the text: a tree of values costs ten times as much, and rows are written all the
// time.
class Writer {
 public:
  void operator()(const char* key, const auto& value) {
    absl::StrAppend(&text_, text_.back() == '{' ? "\"" : ",\"", key, "\":");
    Put(value);
  }

  void Put(const std::string& text) {
    auto plain = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
    if (std::all_of(text.begin(), text.end(), plain)) {
      absl::StrAppend(&text_, "\"", text, "\"");
    } else {  // log lines may hold any bytes: what is not UTF-8 is replaced
      text_ += json(text).dump(-1, ' ', false, json::error_handler_t::replace);
    }
  }
  void Put(bool value) { text_ += value ? "true" : "false"; }
  void Put(double value) { text_ += json(value).dump(); }  // null for NaN and infinity
  template <class T>
  requires(std::integral<T> || std::is_enum_v<T>) void Put(T value) {
    absl::StrAppend(&text_, static_cast<std::conditional_t<std::is_enum_v<T>, int, T>>(value));
  }
  void Put(base::Duration value) { Put(value.count()); }
  void Put(base::WallTime value) { Put(value.us); }
  template <class Tag>
  void Put(const base::Number<Tag>& id) {
    Put(id.value);
  }
  template <class Tag>
  void Put(const base::Name<Tag>& id) {
    Put(id.value);
  }
  template <class T>
  void Put(const std::vector<T>& list) {
    text_ += '[';
    for (const T& each : list) {
      if (&each != list.data()) text_ += ',';
      Put(each);
    }
    text_ += ']';
  }
  void Put(const std::map<std::string, std::string>& map) {
    text_ += '{';
    for (const auto& [key, value] : map) {
      if (text_.back() != '{') text_ += ',';
      Put(key);
      text_ += ':';
      Put(value);
    }
    text_ += '}';
  }
  template <class T>
  requires std::is_class_v<T>
  void Put(const T& value) {
    text_ += '{';
    VisitFields(*this, value);
    text_ += '}';
  }

  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

template <class T>
std::string Write(const T& value) {
  Writer writer;
  writer.Put(value);
  return writer.Take();
}

class Reader {
 public:
  explicit Reader(const json& j) : json_(j) {}
  void operator()(const char* key, auto& value) {
    if (auto it = json_.find(key); it != json_.end()) Take(*it, value);
  }

  static void Take(const json& j, double& out) {
    out = j.is_null() ? std::numeric_limits<double>::quiet_NaN() : j.get<double>();
  }
  static void Take(const json& j, base::Duration& out) { out = base::Duration(j.get<int64_t>()); }
  static void Take(const json& j, base::WallTime& out) { out.us = j.get<int64_t>(); }
  template <class Tag>
  static void Take(const json& j, base::Number<Tag>& out) {
    j.get_to(out.value);
  }
  template <class Tag>
  static void Take(const json& j, base::Name<Tag>& out) {
    j.get_to(out.value);
  }
  template <class T>
  static void Take(const json& j, std::vector<T>& out) {
    out.clear();
    for (const json& each : j) Take(each, out.emplace_back());
  }
  template <class T>
  static void Take(const json& j, T& out) {
    if constexpr (requires(Reader & visit) { VisitFields(visit, out); }) {
      Reader reader(j);
      VisitFields(reader, out);
    } else if constexpr (std::is_enum_v<T>) {
      out = static_cast<T>(j.get<int>());
    } else {
      j.get_to(out);
    }
  }

 private:
  const json& json_;
};

// The one place where exceptions of the JSON library end.
template <class T>
bool Parse(const std::string& text, T value, T* out) {
  json j = json::parse(text, nullptr, false);
  if (j.is_discarded()) return false;
  try {
    Reader::Take(j, value);
    *out = std::move(value);
    return true;
  } catch (const json::exception&) {
    return false;
  }
}

// Nothing is "".
template <class T>
std::string Write(const std::optional<T>& value) {
  return value ? Write(*value) : "";
}
template <class T>
bool ParseOptional(const std::string& text, std::optional<T>* out) {
  if (text.empty()) return out->reset(), true;
  T value{};
  if (!Parse(text, T{}, &value)) return false;
  *out = std::move(value);
  return true;
}

}  // namespace

std::string ToJson(const core::JobRequest& request) { return Write(request); }
bool FromJson(const std::string& text, core::JobRequest* request) {
  core::JobRequest value;
  value.name = request->name;
  return Parse(text, std::move(value), request);
}

std::string ToJson(const core::Speed& speed) { return speed == core::Speed() ? "" : Write(speed); }
bool FromJson(const std::string& text, core::Speed* speed) {
  *speed = {};
  return text.empty() || Parse(text, {}, speed);
}

std::string ToJson(const std::optional<core::Exit>& exit) { return Write(exit); }
bool FromJson(const std::string& text, std::optional<core::Exit>* exit) {
  return ParseOptional(text, exit);
}

std::string ToJson(const std::optional<core::LastProgress>& last) { return Write(last); }
bool FromJson(const std::string& text, std::optional<core::LastProgress>* last) {
  return ParseOptional(text, last);
}

std::string ToJson(const std::optional<protocol::ExitRecord>& exit) { return Write(exit); }
bool FromJson(const std::string& text, std::optional<protocol::ExitRecord>* exit) {
  return ParseOptional(text, exit);
}

std::string ToJson(const std::vector<std::string>& texts) { return Write(texts); }
bool FromJson(const std::string& text, std::vector<std::string>* texts) {
  return Parse(text, {}, texts);
}

std::string ToJson(const std::vector<protocol::Member>& members) { return Write(members); }
bool FromJson(const std::string& text, std::vector<protocol::Member>* members) {
  return Parse(text, {}, members);
}

std::string ToJson(const protocol::Inventory& inventory) { return Write(inventory); }
bool FromJson(const std::string& text, protocol::Inventory* inventory) {
  return Parse(text, {}, inventory);
}

std::string ToJson(const std::map<std::string, std::string>& labels) { return Write(labels); }

}  // namespace coxswain::coordinator::store
