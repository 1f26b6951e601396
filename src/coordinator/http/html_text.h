// Words and numbers for the pages.
#pragma once

#include <string>
#include <string_view>

#include "common/base/byte_text.h"
#include "common/base/duration_text.h"
#include "common/base/percent_text.h"
#include "coordinator/runtime/api.h"

namespace coxswain::coordinator::http {

using base::CountText;
using base::NumberText;

// For element content and quoted attributes. Control characters become spaces, newlines stay.
std::string Escape(std::string_view text);

std::string DurationText(base::Duration duration);  // "2 h 3 min", "41 s": whole seconds
// <time> with "3 min ago", the full UTC time in its tooltip; a dash for 0.
std::string AgoHtml(base::WallTime time, base::WallTime now);

const char* CauseName(core::Cause cause);  // "INFRASTRUCTURE"
// Whose fault an end was and what it was: "INFRASTRUCTURE (STORE)"; empty: no failure.
std::string CauseText(core::Cause cause, protocol::FailureKind kind);

std::string WhyHtml(const std::vector<std::string>& texts);  // a paragraph for each
// Why each GPU that is not given out is not.
std::vector<std::string> GpuTroubles(const protocol::Inventory& inventory);
// One entry of a <dl>; both are HTML.
std::string FactHtml(const std::string& name, const std::string& html);
std::string BadgeHtml(core::JobState state);
std::string NodeBadgeHtml(const std::string& state);
std::string JobLink(core::JobId id, std::string_view text);  // text is escaped

// The whole document around `main` (HTML). `active`: the path of the tab that is shown.
std::string Frame(const std::string& title, std::string_view active,
                  const runtime::ServerStatus* status, const std::string& main);

}  // namespace coxswain::coordinator::http
