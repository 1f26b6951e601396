#include "trainer/table/arrow_values.h"

#include <arrow/scalar.h>
#include <arrow/status.h>
#include <arrow/util/decimal.h>
#include <arrow/util/utf8.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string_view>
#include <type_traits>
#include <unordered_map>

namespace coxswain::trainer::table {
namespace {

using arrow::Array;
using arrow::Type;
using data::ColumnKind;
using data::ColumnValues;

double UnitSeconds(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1e3;
    case arrow::TimeUnit::MICRO:
      return 1e6;
    case arrow::TimeUnit::NANO:
      return 1e9;
  }
  return 1;
}

template <class ArrowArray>
void AddNumbers(const Array& from, double divide, double* to) {
  const auto& array = static_cast<const ArrowArray&>(from);
  for (int64_t i = 0; i < array.length(); ++i) {
    to[i] = array.IsNull(i) ? 0 : static_cast<double>(array.Value(i)) / divide;
  }
}

template <class Decimal, class ArrowArray>
void AddDecimals(const Array& from, double* to) {
  const auto& array = static_cast<const ArrowArray&>(from);
  const int32_t scale = static_cast<const arrow::DecimalType&>(*array.type()).scale();
  for (int64_t i = 0; i < array.length(); ++i) {
    to[i] = array.IsNull(i) ? 0 : Decimal(array.GetValue(i)).ToDouble(scale);
  }
}

arrow::Status Numbers(const Array& from, double* to) {
  const arrow::DataType& type = *from.type();
  switch (type.id()) {
    case Type::BOOL:
      return AddNumbers<arrow::BooleanArray>(from, 1, to), arrow::Status::OK();
    case Type::INT8:
      return AddNumbers<arrow::Int8Array>(from, 1, to), arrow::Status::OK();
    case Type::INT16:
      return AddNumbers<arrow::Int16Array>(from, 1, to), arrow::Status::OK();
    case Type::INT32:
      return AddNumbers<arrow::Int32Array>(from, 1, to), arrow::Status::OK();
    case Type::INT64:
      return AddNumbers<arrow::Int64Array>(from, 1, to), arrow::Status::OK();
    case Type::UINT8:
      return AddNumbers<arrow::UInt8Array>(from, 1, to), arrow::Status::OK();
    case Type::UINT16:
      return AddNumbers<arrow::UInt16Array>(from, 1, to), arrow::Status::OK();
    case Type::UINT32:
      return AddNumbers<arrow::UInt32Array>(from, 1, to), arrow::Status::OK();
    case Type::UINT64:
      return AddNumbers<arrow::UInt64Array>(from, 1, to), arrow::Status::OK();
    case Type::FLOAT:
      return AddNumbers<arrow::FloatArray>(from, 1, to), arrow::Status::OK();
    case Type::DOUBLE:
      return AddNumbers<arrow::DoubleArray>(from, 1, to), arrow::Status::OK();
    case Type::DECIMAL128:
      return AddDecimals<arrow::Decimal128, arrow::Decimal128Array>(from, to), arrow::Status::OK();
    case Type::DECIMAL256:
      return AddDecimals<arrow::Decimal256, arrow::Decimal256Array>(from, to), arrow::Status::OK();
    case Type::DATE32:  // days
      return AddNumbers<arrow::Date32Array>(from, 1.0 / 86400, to), arrow::Status::OK();
    case Type::DATE64:  // milliseconds
      return AddNumbers<arrow::Date64Array>(from, 1e3, to), arrow::Status::OK();
    case Type::TIME32:
      return AddNumbers<arrow::Time32Array>(
                 from, UnitSeconds(static_cast<const arrow::Time32Type&>(type).unit()), to),
             arrow::Status::OK();
    case Type::TIME64:
      return AddNumbers<arrow::Time64Array>(
                 from, UnitSeconds(static_cast<const arrow::Time64Type&>(type).unit()), to),
             arrow::Status::OK();
    case Type::TIMESTAMP:
      return AddNumbers<arrow::TimestampArray>(
                 from, UnitSeconds(static_cast<const arrow::TimestampType&>(type).unit()), to),
             arrow::Status::OK();
    case Type::DURATION:
      return AddNumbers<arrow::DurationArray>(
                 from, UnitSeconds(static_cast<const arrow::DurationType&>(type).unit()), to),
             arrow::Status::OK();
    default:
      return arrow::Status::TypeError("a column of type ", type.ToString(),
                                      " cannot be read as numbers");
  }
}

template <class ArrowArray>
int64_t FirstRounded(const Array& from) {
  const auto& array = static_cast<const ArrowArray&>(from);
  using Whole = typename ArrowArray::value_type;
  constexpr Whole kExact = Whole{1} << std::numeric_limits<double>::digits;  // and below: all
  for (int64_t i = 0; i < array.length(); ++i) {
    const Whole value = array.Value(i);
    const bool small = value <= kExact && (std::is_unsigned_v<Whole> || value >= -kExact);
    if (small || array.IsNull(i)) continue;
    const auto held = static_cast<double>(value);
    // The largest ones round up to a number that is none of their type.
    if (held >= static_cast<double>(std::numeric_limits<Whole>::max())) return i;
    if (static_cast<Whole>(held) != value) return i;
  }
  return -1;
}

// Of whole numbers, the first that its double is not equal to; below 0: none.
int64_t FirstRoundedOf(const Array& from) {
  if (from.type_id() == Type::INT64) return FirstRounded<arrow::Int64Array>(from);
  return from.type_id() == Type::UINT64 ? FirstRounded<arrow::UInt64Array>(from) : -1;
}

arrow::Status DictionaryNumbers(const arrow::DictionaryArray& from, double* to) {
  std::vector<double> values(static_cast<size_t>(from.dictionary()->length()));
  ARROW_RETURN_NOT_OK(Numbers(*from.dictionary(), values.data()));
  for (int64_t i = 0; i < from.length(); ++i) {
    to[i] = from.IsNull(i) ? 0 : values[static_cast<size_t>(from.GetValueIndex(i))];
  }
  return arrow::Status::OK();
}

bool IsNullAt(const Array& array, int64_t i) {
  if (array.IsNull(i)) return true;
  if (array.type_id() != Type::DICTIONARY) return false;
  const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
  return dictionary.dictionary()->IsNull(dictionary.GetValueIndex(i));
}

// So that a text is found without a copy of it.
struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// Distinct texts, in the order in which they come.
class TextTable {
 public:
  int32_t Code(std::string_view text) {
    auto found = codes_.find(text);
    if (found != codes_.end()) return found->second;
    const auto code = static_cast<int32_t>(texts_.size());
    texts_.emplace_back(text);
    codes_.emplace(texts_.back(), code);
    return code;
  }
  std::vector<std::string> Take() { return std::move(texts_); }

 private:
  std::vector<std::string> texts_;
  std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>> codes_;
};

template <class ArrowArray>
arrow::Status AddViews(const Array& from, TextTable* table, std::vector<int32_t>* codes) {
  const auto& array = static_cast<const ArrowArray&>(from);
  for (int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i)) {
      codes->push_back(-1);
      continue;
    }
    std::string_view text = array.GetView(i);
    if (!arrow::util::ValidateUTF8(text)) {
      return arrow::Status::Invalid("row ", i, " holds a text that is not UTF-8");
    }
    codes->push_back(table->Code(text));
  }
  return arrow::Status::OK();
}

template <class ArrowArray>
arrow::Status AddWholeFloats(const Array& from, TextTable* table, std::vector<int32_t>* codes) {
  const auto& array = static_cast<const ArrowArray&>(from);
  for (int64_t i = 0; i < array.length(); ++i) {
    const auto value = static_cast<double>(array.IsNull(i) ? 0 : array.Value(i));
    if (!(std::abs(value) < 1e15) || std::floor(value) != value) {
      return arrow::Status::Invalid("row ", i, " holds ", value,
                                    ", expected whole numbers where they stand for categories or "
                                    "classes");
    }
    codes->push_back(array.IsNull(i) ? -1
                                     : table->Code(std::to_string(static_cast<int64_t>(value))));
  }
  return arrow::Status::OK();
}

arrow::Status Texts(const Array& from, TextTable* table, std::vector<int32_t>* codes) {
  switch (from.type_id()) {
    case Type::STRING:
    case Type::BINARY:
      return AddViews<arrow::BinaryArray>(from, table, codes);
    case Type::LARGE_STRING:
    case Type::LARGE_BINARY:
      return AddViews<arrow::LargeBinaryArray>(from, table, codes);
    case Type::STRING_VIEW:
    case Type::BINARY_VIEW:
      return AddViews<arrow::BinaryViewArray>(from, table, codes);
    case Type::FLOAT:
      return AddWholeFloats<arrow::FloatArray>(from, table, codes);
    case Type::DOUBLE:
      return AddWholeFloats<arrow::DoubleArray>(from, table, codes);
    case Type::DICTIONARY: {
      const auto& array = static_cast<const arrow::DictionaryArray&>(from);
      std::vector<int32_t> of_index;
      ARROW_RETURN_NOT_OK(Texts(*array.dictionary(), table, &of_index));
      for (int64_t i = 0; i < array.length(); ++i) {
        codes->push_back(array.IsNull(i) ? -1
                                         : of_index[static_cast<size_t>(array.GetValueIndex(i))]);
      }
      return arrow::Status::OK();
    }
    default:
      for (int64_t i = 0; i < from.length(); ++i) {
        if (from.IsNull(i)) {
          codes->push_back(-1);
          continue;
        }
        ARROW_ASSIGN_OR_RAISE(auto scalar, from.GetScalar(i));
        codes->push_back(table->Code(scalar->ToString()));
      }
      return arrow::Status::OK();
  }
}

// A dictionary's texts that no row has are not among the column's.
void DropUnused(ColumnValues* values) {
  std::vector<int32_t> place(values->texts.size(), -1);
  std::vector<std::string> used;
  for (int32_t& code : values->codes) {
    if (code < 0) continue;
    int32_t& at = place[static_cast<size_t>(code)];
    if (at < 0) {
      at = static_cast<int32_t>(used.size());
      used.push_back(std::move(values->texts[static_cast<size_t>(code)]));
    }
    code = at;
  }
  values->texts = std::move(used);
}

}  // namespace

ColumnKind KindOf(const arrow::DataType& type) {
  switch (type.id()) {
    case Type::BOOL:
      return ColumnKind::kBool;
    case Type::STRING:
    case Type::LARGE_STRING:
    case Type::STRING_VIEW:
      return ColumnKind::kText;
    case Type::DATE32:
    case Type::DATE64:
    case Type::TIME32:
    case Type::TIME64:
    case Type::TIMESTAMP:
    case Type::DURATION:
      return ColumnKind::kTime;
    case Type::DICTIONARY:
      // A dictionary is how a frame says "category", whatever its values are.
      return KindOf(*static_cast<const arrow::DictionaryType&>(type).value_type()) ==
                     ColumnKind::kOther
                 ? ColumnKind::kOther
                 : ColumnKind::kText;
    default:
      break;
  }
  const bool number = arrow::is_integer(type.id()) || type.id() == Type::FLOAT ||
                      type.id() == Type::DOUBLE || type.id() == Type::DECIMAL128 ||
                      type.id() == Type::DECIMAL256;
  return number ? ColumnKind::kNumber : ColumnKind::kOther;
}

arrow::Result<ColumnValues> AsNumbers(const arrow::ChunkedArray& column) {
  ColumnValues out;
  out.numbers.resize(static_cast<size_t>(column.length()));
  if (column.null_count() > 0) out.nulls.resize(out.numbers.size());
  size_t at = 0;
  for (const auto& chunk : column.chunks()) {
    if (chunk->type_id() == Type::DICTIONARY) {
      ARROW_RETURN_NOT_OK(DictionaryNumbers(static_cast<const arrow::DictionaryArray&>(*chunk),
                                            out.numbers.data() + at));
    } else {
      ARROW_RETURN_NOT_OK(Numbers(*chunk, out.numbers.data() + at));
      const int64_t rounded = out.rounded_row < 0 ? FirstRoundedOf(*chunk) : -1;
      if (rounded >= 0) {
        ARROW_ASSIGN_OR_RAISE(auto value, chunk->GetScalar(rounded));
        out.rounded_row = static_cast<int64_t>(at) + rounded;
        out.rounded = value->ToString();
      }
    }
    for (int64_t i = 0; i < chunk->length(); ++i, ++at) {
      if (!IsNullAt(*chunk, i)) continue;
      if (out.nulls.empty()) out.nulls.resize(out.numbers.size());
      out.nulls[at] = true;
    }
  }
  return out;
}

arrow::Result<ColumnValues> AsTexts(const arrow::ChunkedArray& column) {
  ColumnValues out;
  TextTable table;
  out.codes.reserve(static_cast<size_t>(column.length()));
  for (const auto& chunk : column.chunks()) {
    ARROW_RETURN_NOT_OK(Texts(*chunk, &table, &out.codes));
  }
  out.texts = table.Take();
  DropUnused(&out);
  return out;
}

}  // namespace coxswain::trainer::table
