// The nested parts of rows, as JSON text for one column each. Unknown keys are ignored and missing
// ones keep their defaults, so that rows of older and newer minor versions can be read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/core/rows.h"

namespace coxswain::coordinator::store {

std::string ToJson(const core::JobRequest& request);  // but the name, which has its own column
std::string ToJson(const std::optional<core::Exit>& exit);  // none: ""
std::string ToJson(const std::optional<core::LastProgress>& last);
std::string ToJson(const core::Speed& speed);  // nothing known: ""
std::string ToJson(const std::optional<protocol::ExitRecord>& exit);
std::string ToJson(const std::vector<std::string>& texts);
std::string ToJson(const std::vector<protocol::Member>& members);
std::string ToJson(const protocol::Inventory& inventory);
std::string ToJson(const std::map<std::string, std::string>& labels);

// False: the text is not what ToJson wrote; the value is then unchanged.
bool FromJson(const std::string& text, core::Speed* speed);
bool FromJson(const std::string& text, core::JobRequest* request);
bool FromJson(const std::string& text, std::optional<core::Exit>* exit);
bool FromJson(const std::string& text, std::optional<core::LastProgress>* last);
bool FromJson(const std::string& text, std::optional<protocol::ExitRecord>* exit);
bool FromJson(const std::string& text, std::vector<std::string>* texts);
bool FromJson(const std::string& text, std::vector<protocol::Member>* members);
bool FromJson(const std::string& text, protocol::Inventory* inventory);

}  // namespace coxswain::coordinator::store
