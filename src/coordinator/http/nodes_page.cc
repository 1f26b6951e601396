#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/base/byte_text.h"
#include "common/base/clock.h"
#include "common/base/name_order.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/json_views.h"
#include "coordinator/http/pages.h"

namespace coxswain::coordinator::http {
namespace {

std::string Gpus(const runtime::NodeView& node) {
  const protocol::Inventory& inventory = node.row.inventory;
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
      use = "<span class=\"badge failed\">not given out</span> " + Escape(gpu.why_not);
    }
    absl::StrAppend(&rows, "<tr><td class=\"num\">", gpu.index, "</td><td>", Escape(gpu.name),
                    "</td><td class=\"num\">", base::BytesText(gpu.memory_bytes), "</td><td>", use,
                    "</td><td class=\"dim\">", Escape(gpu.uuid), "</td></tr>");
  }
  return "<div "
         "class=\"wide\"><table><thead><tr><th>GPU</th><th>Model</th><th>Memory</th><th>Use</th>"
         "<th>UUID</th></tr></thead><tbody>" +
         rows + "</tbody></table></div>";
}

std::string NodeCard(const runtime::NodeView& node, base::WallTime now) {
  const protocol::Inventory& inventory = node.row.inventory;
  std::string out = absl::StrCat("<section><div class=\"line\">", NodeBadgeHtml(NodeState(node)),
                                 "<h2 class=\"title\">", Escape(node.row.name),
                                 "</h2><span class=\"side\">heard ",
                                 AgoHtml(node.live.last_heartbeat, now), "</span></div>");
  if (node.row.draining) {
    out += "<p class=\"why\">draining: " + Escape(node.row.drain_reason) + "</p>";
  }
  for (const std::string& text : node.live.conditions) {
    out += "<p class=\"why\">" + Escape(text) + "</p>";
  }
  for (const std::string& text : inventory.conditions) {
    out += "<p class=\"why\">" + Escape(text) + "</p>";
  }
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
                  FactHtml("Id", Escape(node.row.id.value)),
                  FactHtml("First seen", AgoHtml(node.row.first_seen, now)));
  for (const auto& [key, value] : inventory.labels) {
    out += FactHtml(Escape(key), Escape(value));
  }
  return out + "</dl>" + Gpus(node) + "</section>";
}

}  // namespace

absl::StatusOr<std::string> NodesPage(runtime::Api& api) {
  auto nodes = api.ListNodes();
  if (!nodes.ok()) return nodes.status();
  std::stable_sort(nodes->begin(), nodes->end(), [](const auto& a, const auto& b) {
    return base::NameBefore(a.row.name, b.row.name);
  });
  base::WallTime now = base::WallNow();
  std::string main = "<h1>Nodes</h1>";
  for (const runtime::NodeView& node : *nodes) {  // those in trouble first
    if (!node.live.reachable) main += NodeCard(node, now);
  }
  for (const runtime::NodeView& node : *nodes) {
    if (node.live.reachable) main += NodeCard(node, now);
  }
  runtime::ServerStatus status = api.Status();
  if (nodes->empty()) {
    main +=
        "<section><p>No worker has connected yet. On a machine with work to do: <code>cox-worker "
        "--coordinator " +
        Escape(status.worker_address) + " --token-file FILE</code></p></section>";
  }
  return Frame("Nodes", "/nodes", &status, main);
}

}  // namespace coxswain::coordinator::http
