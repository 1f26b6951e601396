// A file of its own: what needs only this links none of the daemons' messages, whose descriptors
// every process that has them registers when it starts.
#include "common/base/utf8.h"
#include "common/rpc/convert.h"

namespace coxswain::rpc {

std::string Utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t length = base::Utf8Length(text.substr(at));
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++at;
    } else {
      out.append(text, at, length);
      at += length;
    }
  }
  return out;
}

}  // namespace coxswain::rpc
