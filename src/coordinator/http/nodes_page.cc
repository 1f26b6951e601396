#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/byte_text.h"
#include "common/base/clock.h"
#include "common/base/name_order.h"
#include "common/base/nearest_name.h"
#include "coordinator/core/text.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/json_views.h"
#include "coordinator/http/pages.h"

namespace coxswain::coordinator::http {
namespace {

constexpr size_t kNodesAPage = 100;
constexpr const char* kStates[] = {"UNREACHABLE", "CORDONED", "DRAINING",
                                   "DRAINED",     "READY",    "SHUT_DOWN"};

// What cannot be in a name anyway is left out.
std::string Printable(const std::string& text) {
  std::string out;
  for (char c : text.substr(0, 253)) {
    if (absl::ascii_isprint(static_cast<unsigned char>(c))) out += c;
  }
  return out;
}

// "8 × NVIDIA H100, 3 in use"; of several kinds, each.
std::string GpusInOneLine(const runtime::NodeView& node) {
  std::map<std::string, size_t> kinds;
  for (const protocol::GpuInfo& gpu : node.row->inventory.gpus) ++kinds[gpu.name];
  std::string text;
  for (const auto& [name, count] : kinds) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", count, " × ", Escape(name));
  }
  return absl::StrCat(text, ", ", node.live.gpu_jobs.size(), " in use");
}

std::string Gpus(const runtime::NodeView& node) {
  const protocol::Inventory& inventory = node.row->inventory;
  if (inventory.gpus.empty()) {
    return inventory.gpu_note.empty()
               ? ""
               : "<p class=\"dim\">No GPUs: " + Escape(inventory.gpu_note) + "</p>";
  }
  std::string rows;
  for (const protocol::GpuInfo& gpu : inventory.gpus) {
    std::string use = "free";
    if (auto job = node.live.gpu_jobs.find(gpu.uuid); job != node.live.gpu_jobs.end()) {
      use = JobLink(job->second, base::ToString(job->second));
    } else if (!gpu.available) {
      use = "<span class=\"badge failed\">not given out</span>";
    }
    absl::StrAppend(&rows, "<tr><td class=\"num\">", gpu.index, "</td><td>", Escape(gpu.name),
                    "</td><td class=\"num\">", base::BytesText(gpu.memory_bytes), "</td><td>", use,
                    "</td><td class=\"dim\">", Escape(gpu.uuid), "</td></tr>");
  }
  return WhyHtml(GpuTroubles(inventory)) + "<details id=\"gpus-" + Escape(node.row->id.value) +
         "\"><summary>" + GpusInOneLine(node) +
         "</summary><div "
         "class=\"wide\"><table><thead><tr><th>GPU</th><th>Model</th><th>Memory</th><th>Use</th>"
         "<th>UUID</th></tr></thead><tbody>" +
         rows + "</tbody></table></div></details>";
}

// "no new work: new disk; to be empty by 14:00:00 UTC".
std::string DrainText(const runtime::NodeView& node) {
  const core::NodeRow& row = *node.row;
  const std::string text = core::NoWorkText(row);
  return row.drain_by && !node.live.jobs.empty()
             ? text + "; to be empty by " + core::ClockTime(row.drain_by)
             : text;
}

std::string NodeCard(const runtime::NodeView& node, base::WallTime now) {
  const protocol::Inventory& inventory = node.row->inventory;
  const std::string& id = node.row->id.value;
  std::string out = absl::StrCat(
      "<section id=\"", Escape(id), "\"><div class=\"line\">", NodeBadgeHtml(NodeState(node)),
      "<h2 class=\"title\">", Escape(node.row->name), "</h2>",
      node.same_name.empty() ? "" : "<span class=\"dim\">" + Escape(id) + "</span>",
      "<span class=\"side\">heard ", AgoHtml(node.live.last_heartbeat, now), "</span></div>");
  if (node.row->draining) out += WhyHtml({DrainText(node)});
  if (!node.same_name.empty()) out += WhyHtml({node.same_name});
  out += WhyHtml(node.live.conditions) + WhyHtml(inventory.conditions);
  std::string jobs;
  for (core::JobId job : node.live.jobs) {
    absl::StrAppend(&jobs, jobs.empty() ? "" : ", ", JobLink(job, base::ToString(job)));
  }
  uint32_t slots = inventory.cpu_slots;
  uint32_t used = slots - std::min(slots, node.live.cpu_slots_free);
  absl::StrAppend(&out, "<dl>",
                  FactHtml("CPU slots", CountText(used) + " of " + CountText(slots) + " used"),
                  FactHtml("Memory", base::BytesText(inventory.memory_bytes)),
                  FactHtml("Jobs", jobs.empty() ? "none" : jobs),
                  FactHtml("Address", Escape(inventory.address)),
                  FactHtml("Version", Escape(inventory.version)), FactHtml("Id", Escape(id)),
                  FactHtml("First seen", AgoHtml(node.row->first_seen, now)));
  for (const auto& [key, value] : inventory.labels) {
    out += FactHtml(Escape(key), Escape(value));
  }
  return out + "</dl>" + Gpus(node) + "</section>";
}

std::string PathOf(const NodesQuery& query) {
  std::string path = "/nodes", between = "?";
  auto add = [&](const char* key, const std::string& value) {
    if (value.empty()) return;
    path += std::exchange(between, "&") + key + "=" + base::PercentEncoded(value);
  };
  add("page", query.page > 1 ? std::to_string(query.page) : "");
  add("name", query.name);
  add("state", query.state);
  return Escape(path);
}

std::string Finder(const NodesQuery& query, size_t found) {
  const std::string state =
      query.state.empty() ? ""
                          : "<input type=\"hidden\" name=\"state\" value=\"" + query.state + "\">";
  return absl::StrCat("<form class=\"find\" action=\"/nodes\">", state,
                      "<input name=\"name\" value=\"", Escape(query.name),
                      "\" placeholder=\"part of a name\" aria-label=\"part of a "
                      "name\"> <button>Find</button> <span class=\"dim\">",
                      CountText(static_cast<int64_t>(found)), found == 1 ? " node" : " nodes",
                      found > 1 ? ", those in trouble first</span></form>" : "</span></form>");
}

// "All 120  READY 100  UNREACHABLE 20": those that there are, as links.
std::string StateLinks(const NodesQuery& query, const std::map<std::string, size_t>& counts) {
  if (counts.size() < 2 && query.state.empty()) return "";
  std::string out = "<nav class=\"pages\" aria-label=\"states\">";
  size_t all = 0;
  for (const auto& [state, count] : counts) all += count;
  auto add = [&](const std::string& state, const std::string& text, size_t count) {
    const std::string label = text + " " + CountText(static_cast<int64_t>(count));
    const NodesQuery to{.page = 1, .name = query.name, .state = state};
    absl::StrAppend(&out, state == query.state
                              ? " <b>" + label + "</b>"
                              : " <a href=\"" + PathOf(to) + "\">" + label + "</a>");
  };
  add("", "All", all);
  for (const char* state : kStates) {
    auto found = counts.find(state);
    const size_t count = found == counts.end() ? 0 : found->second;
    if (count > 0 || state == query.state) add(state, state, count);
  }
  return out + "</nav>";
}

// "1 2 ... 24 25 26 ... 50"
std::string PageLinks(const NodesQuery& query, size_t page, size_t pages) {
  if (pages < 2) return "";
  std::string out = "<nav class=\"pages\" aria-label=\"pages\">";
  size_t shown = 0;
  for (size_t each = 1; each <= pages; ++each) {
    bool near = each + 2 >= page && each <= page + 2;
    if (each != 1 && each != pages && !near) continue;
    if (each > shown + 1) out += " ...";
    shown = each;
    if (each == page) {
      absl::StrAppend(&out, " <b>", each, "</b>");
      continue;
    }
    const NodesQuery to{.page = each, .name = query.name, .state = query.state};
    absl::StrAppend(&out, " <a href=\"", PathOf(to), "\">", each, "</a>");
  }
  return out + "</nav>";
}

std::string NothingText(const NodesQuery& query) {
  const std::string node = query.state.empty() ? "No node" : "No node that is " + query.state;
  if (query.name.empty()) return node + ": no longer, or not yet.";
  return node + " has <code>" + Escape(query.name) + "</code> in its name.";
}

absl::Status CheckState(const std::string& state) {
  const std::vector<std::string> states(std::begin(kStates), std::end(kStates));
  if (state.empty() || std::find(states.begin(), states.end(), state) != states.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("state: found '", Printable(state),
                                                 "', expected one of ", absl::StrJoin(states, ", "),
                                                 base::DidYouMean(state, states)));
}

// No more is sorted than is shown.
void SortPage(std::vector<runtime::NodeView>* nodes, size_t first, size_t last) {
  // Those in trouble first, those that were shut down last.
  auto rank = [](const core::LiveNode& live) { return live.reachable ? 1 : live.left ? 2 : 0; };
  auto before = [rank](const runtime::NodeView& a, const runtime::NodeView& b) {
    if (rank(a.live) != rank(b.live)) return rank(a.live) < rank(b.live);
    return base::NameBefore(a.row->name, b.row->name);
  };
  const auto begin = nodes->begin();
  std::nth_element(begin, begin + static_cast<ptrdiff_t>(first), nodes->end(), before);
  std::partial_sort(begin + static_cast<ptrdiff_t>(first), begin + static_cast<ptrdiff_t>(last),
                    nodes->end(), before);
}

}  // namespace

absl::StatusOr<std::string> NodesPage(runtime::Api& api, const NodesQuery& asked) {
  if (absl::Status status = CheckState(asked.state); !status.ok()) return status;
  auto nodes = api.ListNodes();
  if (!nodes.ok()) return nodes.status();
  const bool none = nodes->empty();
  const bool many = nodes->size() > kNodesAPage;
  const std::string warnings = WhyHtml(core::NodeWarnings(*nodes));
  const std::string part = absl::AsciiStrToLower(absl::StripAsciiWhitespace(Printable(asked.name)));
  const NodesQuery query{.page = 1, .name = part, .state = asked.state};
  std::erase_if(*nodes, [&](const runtime::NodeView& node) {
    return absl::AsciiStrToLower(node.row->name).find(part) == std::string::npos;
  });
  std::map<std::string, size_t> counts;
  for (const runtime::NodeView& node : *nodes) ++counts[NodeState(node)];
  std::erase_if(*nodes, [&](const runtime::NodeView& node) {
    return !query.state.empty() && NodeState(node) != query.state;
  });
  const size_t all = nodes->size();
  const size_t pages = std::max<size_t>(1, (all + kNodesAPage - 1) / kNodesAPage);
  const size_t page = std::clamp<size_t>(asked.page, 1, pages);
  const size_t first = (page - 1) * kNodesAPage, last = std::min(all, first + kNodesAPage);
  SortPage(&*nodes, first, last);
  base::WallTime now = base::WallNow();
  std::string main = "<h1>Nodes</h1>";
  if (!warnings.empty()) {
    main += "<section class=\"trouble\"><h2>Wrong now</h2>" + warnings + "</section>";
  }
  main += StateLinks(query, counts);
  if (many) main += Finder(query, all) + PageLinks(query, page, pages);
  for (size_t i = first; i < last; ++i) main += NodeCard((*nodes)[i], now);
  if (pages > 1) main += PageLinks(query, page, pages);
  if (all == 0 && !none) {
    main += "<section><p>" + NothingText(query) + "</p></section>";
  }
  runtime::ServerStatus status = api.Status();
  if (none) {
    main +=
        "<section><p>No worker has connected yet. On a machine with work to do: <code>cox-worker "
        "--coordinator " +
        Escape(status.worker_address) + " --token-file FILE</code></p></section>";
  }
  return Frame("Nodes", "/nodes", &status, main);
}

}  // namespace coxswain::coordinator::http
