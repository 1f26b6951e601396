// Planted: what a pure core may do: containers, strings, arithmetic.
#include <map>
#include <string>

namespace planted {

std::string Decide(std::map<int, std::string>& rows, int key) {
  rows[key] += std::to_string(key);
  return rows.begin()->second;
}

}  // namespace planted
