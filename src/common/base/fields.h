// Small text files of "key value" lines between a head and the line "end", so that a file cut short
// is known as such. Readers skip keys they do not know.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coxswain::base {

using Fields = std::vector<std::pair<std::string, std::string>>;
using FieldMap = std::map<std::string, std::string, std::less<>>;

void Put(Fields& fields, std::string_view key, std::string_view value);
void Put(Fields& fields, std::string_view key, int64_t value);

std::string EncodeFields(std::string_view head, const Fields& fields);
// Nothing if `text` has another head or was cut short.
std::optional<FieldMap> DecodeFields(std::string_view text, std::string_view head);

std::string Get(const FieldMap& fields, std::string_view key);       // empty if missing
int64_t GetNumber(const FieldMap& fields, std::string_view key);     // 0 if missing
uint64_t GetUnsigned(const FieldMap& fields, std::string_view key);  // 0 if missing

// Makes one line of any text, and back.
std::string EscapeLine(std::string_view text);
std::string UnescapeLine(std::string_view line);

}  // namespace coxswain::base
