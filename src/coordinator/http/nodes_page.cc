#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>

#include "common/base/byte_text.h"
#include "common/base/clock.h"
#include "common/base/name_order.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/json_views.h"
#include "coordinator/http/pages.h"

namespace coxswain::coordinator::http {
namespace {

constexpr size_t kNodesAPage = 100;

// What cannot be in a name anyway is left out.
std::string Printable(const std::string& text) {
  std::string out;
  for (char c : text.substr(0, 253)) {
    if (absl::ascii_isprint(static_cast<unsigned char>(c))) out += c;
  }
  return out;
}

std::string UrlEscape(const std::string& text) {
  std::string out;
  for (unsigned char c : text) {
    if (absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.') {
      out += static_cast<char>(c);
    } else {
      absl::StrAppend(&out, "%", absl::Hex(c, absl::kZeroPad2));
    }
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
  return GpuTroubleHtml(inventory) + "<details id=\"gpus-" + Escape(node.row->id.value) +
         "\"><summary>" + GpusInOneLine(node) +
         "</summary><div "
         "class=\"wide\"><table><thead><tr><th>GPU</th><th>Model</th><th>Memory</th><th>Use</th>"
         "<th>UUID</th></tr></thead><tbody>" +
         rows + "</tbody></table></div></details>";
}

std::string NodeCard(const runtime::NodeView& node, base::WallTime now) {
  const protocol::Inventory& inventory = node.row->inventory;
  std::string out = absl::StrCat("<section><div class=\"line\">", NodeBadgeHtml(NodeState(node)),
                                 "<h2 class=\"title\">", Escape(node.row->name),
                                 "</h2><span class=\"side\">heard ",
                                 AgoHtml(node.live.last_heartbeat, now), "</span></div>");
  if (node.row->draining) {
    out += "<p class=\"why\">draining: " + Escape(node.row->drain_reason) + "</p>";
  }
  out += WhyHtml(node.live.conditions) + WhyHtml(inventory.conditions);
  std::string jobs;
  for (core::JobId job : node.live.jobs) {
    absl::StrAppend(&jobs, jobs.empty() ? "" : ", ", JobLink(job, base::ToString(job)));
  }
  uint32_t slots = inventory.cpu_slots;
  uint32_t used = slots - std::min(slots, node.live.cpu_slots_free);
  absl::StrAppend(&out, "<dl>", FactHtml("CPU slots", absl::StrCat(used, " of ", slots, " used")),
                  FactHtml("Memory", base::BytesText(inventory.memory_bytes)),
                  FactHtml("Jobs", jobs.empty() ? "none" : jobs),
                  FactHtml("Address", Escape(inventory.address)),
                  FactHtml("Version", Escape(inventory.version)),
                  FactHtml("Id", Escape(node.row->id.value)),
                  FactHtml("First seen", AgoHtml(node.row->first_seen, now)));
  for (const auto& [key, value] : inventory.labels) {
    out += FactHtml(Escape(key), Escape(value));
  }
  return out + "</dl>" + Gpus(node) + "</section>";
}

std::string Finder(const std::string& name, size_t found) {
  return absl::StrCat("<form class=\"find\" action=\"/nodes\"><input name=\"name\" value=\"",
                      Escape(name),
                      "\" placeholder=\"part of a name\" aria-label=\"part of a "
                      "name\"> <button>Find</button> <span class=\"dim\">",
                      CountText(static_cast<int64_t>(found)), found == 1 ? " node" : " nodes",
                      found > 1 ? ", those in trouble first</span></form>" : "</span></form>");
}

// "1 2 ... 24 25 26 ... 50"
std::string PageLinks(const std::string& name, size_t page, size_t pages) {
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
    absl::StrAppend(&out, " <a href=\"/nodes?page=", each,
                    name.empty() ? "" : "&amp;name=" + UrlEscape(name), "\">", each, "</a>");
  }
  return out + "</nav>";
}

}  // namespace

absl::StatusOr<std::string> NodesPage(runtime::Api& api, const NodesQuery& query) {
  auto nodes = api.ListNodes();
  if (!nodes.ok()) return nodes.status();
  const bool none = nodes->empty();
  const bool many = nodes->size() > kNodesAPage;
  const std::string part = absl::AsciiStrToLower(absl::StripAsciiWhitespace(Printable(query.name)));
  std::erase_if(*nodes, [&](const runtime::NodeView& node) {
    return absl::AsciiStrToLower(node.row->name).find(part) == std::string::npos;
  });
  const size_t all = nodes->size();
  const size_t pages = std::max<size_t>(1, (all + kNodesAPage - 1) / kNodesAPage);
  const size_t page = std::clamp<size_t>(query.page, 1, pages);
  const size_t first = (page - 1) * kNodesAPage, last = std::min(all, first + kNodesAPage);
  // Those in trouble first. No more is sorted than is shown.
  auto before = [](const runtime::NodeView& a, const runtime::NodeView& b) {
    if (a.live.reachable != b.live.reachable) return b.live.reachable;
    return base::NameBefore(a.row->name, b.row->name);
  };
  const auto begin = nodes->begin();
  std::nth_element(begin, begin + static_cast<ptrdiff_t>(first), nodes->end(), before);
  std::partial_sort(begin + static_cast<ptrdiff_t>(first), begin + static_cast<ptrdiff_t>(last),
                    nodes->end(), before);
  base::WallTime now = base::WallNow();
  std::string main = "<h1>Nodes</h1>";
  if (many) main += Finder(part, all) + PageLinks(part, page, pages);
  for (size_t i = first; i < last; ++i) main += NodeCard((*nodes)[i], now);
  if (pages > 1) main += PageLinks(part, page, pages);
  if (all == 0 && !none) {
    main += "<section><p>No node has <code>" + Escape(part) + "</code> in its name.</p></section>";
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
