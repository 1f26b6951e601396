#include "coordinator/http/trouble_html.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <set>

#include "common/base/name_order.h"
#include "coordinator/http/html_text.h"
#include "coordinator/http/json_views.h"

namespace coxswain::coordinator::http {
namespace {

constexpr size_t kFew = 3;           // so many of one kind stand by themselves
constexpr size_t kMostNamed = 3;     // of a group, in its title
constexpr size_t kMostOpened = 100;  // of a group, when it is opened
constexpr base::Duration kAtOnce = std::chrono::minutes(1);

// One node or job that has something.
struct Entry {
  std::string badge, title, side, body;  // as an entry of its own
  std::string name, link;                // plain text, and where it leads
  base::WallTime since;                  // 0: not known
  std::set<core::JobId> jobs;            // of a node that is away: whose ranks are there
};
// Those with the same trouble, in the order of their appearance.
struct Group {
  std::string id;       // of the part that opens: the same on each reading of the page
  std::string badge;    // HTML
  std::string what;     // plain text: "nodes unreachable"
  std::string more_at;  // a page with all of them
  std::string sample;   // what the first one has; empty: `what` says it all
  uint64_t all = 0;     // more than those that were read; 0: those
  std::vector<Entry> entries;
};
class Groups {
 public:
  Group& Of(const std::string& key) {
    auto [at, is_new] = index_.try_emplace(key, groups_.size());
    if (is_new) groups_.emplace_back().id = absl::StrCat("trouble-", groups_.size());
    return groups_[at->second];
  }
  std::vector<Group>& all() { return groups_; }

 private:
  std::map<std::string, size_t> index_;
  std::vector<Group> groups_;
};

// The same for texts that differ in numbers alone: "disk 97 % full" of one node, 98 of another.
std::string WithoutNumbers(const std::string& text) {
  std::string out;
  for (char c : text) {
    const bool digit = absl::ascii_isdigit(static_cast<unsigned char>(c));
    if (!digit) out += c;
    if (digit && !out.ends_with('#')) out += '#';
  }
  return out;
}

std::string KindOf(const std::vector<std::string>& texts) {
  std::set<std::string> kinds;
  for (const std::string& text : texts) kinds.insert(WithoutNumbers(text));
  std::string all;
  for (const std::string& kind : kinds) all += kind + "\n";
  return all;
}

std::string NodeLink(const runtime::NodeView& node) {
  return "/nodes?name=" + base::PercentEncoded(node.row->name) + "#" +
         base::PercentEncoded(node.row->id.value);
}

std::string LinkHtml(const std::string& link, const std::string& text) {
  return "<a href=\"" + Escape(link) + "\">" + Escape(text) + "</a>";
}

Entry EntryOf(const runtime::NodeView& node, const std::string& body, base::WallTime now) {
  Entry entry;
  entry.badge = NodeBadgeHtml(NodeState(node));
  entry.name = node.row->name;
  entry.link = NodeLink(node);
  entry.title = LinkHtml(entry.link, entry.name);
  entry.side = "heard " + AgoHtml(node.live.last_heartbeat, now);
  entry.body = body;
  entry.since = node.live.away_since;
  if (!node.live.reachable) entry.jobs.insert(node.live.jobs.begin(), node.live.jobs.end());
  return entry;
}

void AddNode(const runtime::NodeView& node, base::WallTime now, Groups* groups) {
  const core::NodeRow& row = *node.row;
  std::vector<std::string> own = GpuTroubles(row.inventory);
  own.insert(own.begin(), row.inventory.conditions.begin(), row.inventory.conditions.end());
  std::vector<std::string> all = node.live.conditions;
  all.insert(all.end(), own.begin(), own.end());
  // One that was shut down in good order and left nothing behind is no trouble.
  if (!node.live.reachable && !node.live.left) {
    Group& group = groups->Of("node UNREACHABLE");
    group.what = "nodes unreachable";
    group.more_at = "/nodes?state=UNREACHABLE";
    return group.entries.push_back(EntryOf(node, WhyHtml(all), now));
  }
  std::vector<std::string> texts = node.live.reachable ? all : own;
  if (row.cordoned) texts.insert(texts.begin(), core::NoWorkText(row));
  if (texts.empty()) return;
  Group& group = groups->Of(absl::StrCat("node ", NodeState(node), " ", KindOf(texts)));
  group.what = "nodes";
  group.more_at = std::string("/nodes?state=") + NodeState(node);
  if (group.sample.empty()) group.sample = texts.front();
  group.entries.push_back(EntryOf(node, WhyHtml(texts), now));
}

Entry EntryOf(const runtime::JobView& job, const std::string& side, const std::string& body) {
  const core::JobRow& row = job.record.job;
  Entry entry;
  entry.badge = BadgeHtml(row.state);
  entry.name = base::ToString(row.id);
  entry.link = "/jobs/" + entry.name;
  entry.title = JobTitleHtml(job);
  entry.side = side;
  entry.body = body;
  return entry;
}

std::string AttemptSide(const runtime::JobView& job) {
  const core::JobRow& row = job.record.job;
  return absl::StrCat("attempt ", row.attempt.value, ", ", row.failures, " of at most ",
                      row.request.max_attempts, " failed");
}

void AddJobs(const Troubles& in, Groups* groups) {
  for (const runtime::JobView& job : in.recovering) {
    Group& group = groups->Of("job RECOVERING");
    group.what = "jobs recovering";
    group.all = std::max<uint64_t>(in.all_recovering, in.recovering.size());
    group.entries.push_back(
        EntryOf(job, AttemptSide(job), WhyHtml({ReasonOf(job)}) + WhyHtml(OtherConditions(job))));
  }
  for (const runtime::JobView& job : in.running) {
    if (job.live.conditions.empty()) continue;
    Group& group = groups->Of("job RUNNING " + KindOf(job.live.conditions));
    group.what = "jobs run all the same";
    if (group.sample.empty()) group.sample = job.live.conditions.front();
    group.entries.push_back(EntryOf(job, AttemptSide(job), WhyHtml(job.live.conditions)));
  }
  for (const runtime::JobView& job : in.ended) {
    const core::JobRow& row = job.record.job;
    Group& group = groups->Of(
        absl::StrCat("ended ", core::ToString(row.state), " ", CauseText(row.cause, row.kind)));
    group.what = "jobs";
    if (group.sample.empty()) group.sample = ReasonOf(job);
    Entry entry = EntryOf(job, AgoHtml(row.ended, in.now), WhyHtml({ReasonOf(job)}));
    entry.since = row.ended;
    group.entries.push_back(std::move(entry));
  }
}

// "12 nodes unreachable: a, b, c and 9 more".
std::string TitleOf(const Group& group) {
  const uint64_t all = std::max<uint64_t>(group.all, group.entries.size());
  std::string text = CountText(static_cast<int64_t>(all)) + " " + group.what + ": ";
  const size_t named = std::min(kMostNamed, group.entries.size());
  for (size_t i = 0; i < named; ++i) {
    text += (i == 0 ? "" : ", ") + LinkHtml(group.entries[i].link, group.entries[i].name);
  }
  const std::string more = CountText(static_cast<int64_t>(all - named)) + " more";
  if (all == named) return text;
  return text + " and " + (group.more_at.empty() ? more : LinkHtml(group.more_at, more));
}

// "5 min ago", or when the first and when the last began.
std::string SinceOf(const Group& group, base::WallTime now) {
  base::WallTime first, last;
  for (const Entry& entry : group.entries) {
    if (!entry.since) continue;
    first = first ? std::min(first, entry.since) : entry.since;
    last = std::max(last, entry.since);
  }
  if (!first) return "";
  if (last - first < kAtOnce) return AgoHtml(first, now);
  return "the first " + AgoHtml(first, now) + ", the last " + AgoHtml(last, now);
}

// "ranks of j3, j4 and 2 more are there".
std::string JobsThere(const Group& group) {
  std::set<core::JobId> jobs;
  for (const Entry& entry : group.entries) jobs.insert(entry.jobs.begin(), entry.jobs.end());
  if (jobs.empty()) return "";
  std::string text;
  size_t named = 0;
  for (core::JobId job : jobs) {
    if (named == kMostNamed) break;
    text += (named++ == 0 ? "" : ", ") + JobLink(job, base::ToString(job));
  }
  if (jobs.size() > named) absl::StrAppend(&text, " and ", jobs.size() - named, " more");
  return "<p class=\"why\">ranks of " + text + " are there</p>";
}

std::string EntryHtml(const Entry& entry) {
  return ItemHtml(entry.badge, entry.title, entry.side, entry.body);
}

std::string GroupHtml(Group& group, base::WallTime now) {
  std::string items;
  if (group.entries.size() <= kFew) {
    for (const Entry& entry : group.entries) items += EntryHtml(entry);
    return items;
  }
  for (size_t i = 0; i < std::min(kMostOpened, group.entries.size()); ++i) {
    items += EntryHtml(group.entries[i]);
  }
  const std::string sample =
      group.sample.empty() ? "" : WhyHtml({group.entries[0].name + ": " + group.sample});
  const std::string each =
      group.entries.size() <= kMostOpened
          ? "each of them"
          : absl::StrCat("the first ", kMostOpened, " of ", group.entries.size());
  return ItemHtml(group.entries[0].badge, TitleOf(group), SinceOf(group, now),
                  sample + JobsThere(group) + "<details id=\"" + group.id + "\"><summary>" + each +
                      "</summary><ul class=\"items\">" + items + "</ul></details>");
}

}  // namespace

std::string TroubleHtml(const Troubles& in) {
  std::vector<const runtime::NodeView*> nodes;
  for (const runtime::NodeView& node : in.nodes) nodes.push_back(&node);
  // Those that cannot be reached first.
  std::stable_sort(nodes.begin(), nodes.end(), [](const auto* a, const auto* b) {
    if (a->live.reachable != b->live.reachable) return b->live.reachable;
    return base::NameBefore(a->row->name, b->row->name);
  });
  Groups groups;
  for (const runtime::NodeView* node : nodes) AddNode(*node, in.now, &groups);
  AddJobs(in, &groups);
  std::string items;
  for (Group& group : groups.all()) items += GroupHtml(group, in.now);
  const std::string of_nodes = WhyHtml(core::NodeWarnings(in.nodes));
  if (!of_nodes.empty()) items += ItemHtml("", LinkHtml("/nodes", "Nodes"), "", of_nodes);
  const std::string of_queues = WhyHtml(in.queue_warnings);
  if (!of_queues.empty()) items += ItemHtml("", LinkHtml("/queues", "Queues"), "", of_queues);
  if (items.empty()) return "<section><h2>Nothing is wrong</h2></section>";
  return "<section class=\"trouble\"><h2>Wrong now</h2><ul class=\"items\">" + items +
         "</ul></section>";
}

std::string JobTitleHtml(const runtime::JobView& job) {
  const core::JobRow& row = job.record.job;
  return absl::StrCat(JobLink(row.id, row.request.name), " <span class=\"dim\">",
                      base::ToString(row.id), "</span>");
}

std::string ItemHtml(const std::string& badge, const std::string& title, const std::string& side,
                     const std::string& body) {
  return absl::StrCat("<li><div class=\"line\">", badge, "<span class=\"title\">", title,
                      "</span><span class=\"side\">", side, "</span></div>", body, "</li>");
}

}  // namespace coxswain::coordinator::http
