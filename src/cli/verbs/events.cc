#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>

#include "cli/output/words.h"
#include "cli/verbs/flag_checks.h"
#include "cli/verbs/verb.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  rpc::EventRequest request;
  uint32_t limit = 0;
  uint32_t tail = 0;
};

// The widths of most lines: a stream cannot know those still to come.
std::string Padded(const std::string& text, size_t width) {
  return text + std::string(width - std::min(width, output::DisplayWidth(text)), ' ');
}

std::string Row(const Session& session, const std::string& cursor, const std::string& time,
                const std::string& about, const std::string& kind, output::Colour colour,
                const std::string& text) {
  const std::string shown = Padded(kind, 22);
  return (session.wide() ? Padded(cursor, 8) + "  " : "") + Padded(time, 19) + "  " +
         Padded(about, 10) + "  " + output::Paint(session.out(), colour, shown) + "  " + text +
         "\n";
}

std::string Heading(const Session& session) {
  const std::string row =
      Row(session, "CURSOR", "TIME", "ABOUT", "EVENT", output::Colour::kNone, "TEXT");
  return output::Paint(session.out(), output::Colour::kBold, row.substr(0, row.size() - 1)) + "\n";
}

std::string Line(const Session& session, const rpc::Event& event) {
  using output::Colour;
  const Colour colour = event.severity == "error"     ? Colour::kRed
                        : event.severity == "warning" ? Colour::kYellow
                                                      : Colour::kNone;
  std::string about = event.job;
  if (!event.node.empty()) about += (about.empty() ? "" : " ") + event.node;
  return Row(session, std::to_string(event.cursor), output::When(event.time_us),
             about.empty() ? "-" : output::OneLine(about), output::OneLine(event.kind), colour,
             output::OneLine(event.text));
}

// Prints events as they come, or gathers them for one JSON text.
class EventPrinter {
 public:
  EventPrinter(const Session& session, bool follow) : session_(session), follow_(follow) {}

  void Take(const rpc::Event& event) {
    if (!session_.machine_readable()) {
      session_.Print((any_ ? "" : Heading(session_)) + Line(session_, event));
    } else if (follow_) {
      session_.Print(event.json + "\n");
    } else {
      json_ += (any_ ? "," : "") + event.json;
    }
    any_ = true;
  }

  void Finish() {
    if (session_.machine_readable() && !follow_) session_.PrintStructured(json_ + "]}");
    if (!session_.machine_readable() && !any_) session_.Note("no events");
  }

 private:
  const Session& session_;
  const bool follow_;
  bool any_ = false;
  std::string json_ = "{\"events\":[";
};

// What there is now, but only the newest `most`, in the order of time; the last cursor is left in
// the request. The API gives events oldest first, so all of them are read.
absl::Status PrintNewest(rpc::Client& client, rpc::EventRequest* request, size_t most,
                         EventPrinter* printer) {
  rpc::EventRequest now = *request;
  now.follow = false;
  std::deque<rpc::Event> newest;
  const absl::Status status = client.Events(now, [&](const rpc::Event& event) {
    newest.push_back(event);
    if (newest.size() > most) newest.pop_front();
  });
  for (const rpc::Event& event : newest) printer->Take(event);
  if (!newest.empty()) request->after = newest.back().cursor;
  return status;
}

int Events(const Session& session, const Flags& flags) {
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  rpc::EventRequest request = flags.request;
  EventPrinter printer(session, request.follow);
  // With a place to begin at, a limit is a page; without one, nobody means the oldest.
  const bool page = request.after > 0 || request.follow;
  const uint32_t newest = flags.tail > 0 ? flags.tail : page ? 0 : flags.limit;
  absl::Status status;
  if (newest > 0) status = PrintNewest(**client, &request, newest, &printer);
  if (status.ok() && (newest == 0 || request.follow)) {
    request.limit = page ? flags.limit : 0;
    status = (*client)->Events(request, [&](const rpc::Event& event) { printer.Take(event); });
  }
  if (!status.ok()) return session.Fail(status);
  printer.Finish();
  return kSuccess;
}

}  // namespace

void AddEvents(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("events", "What has happened, oldest first");
  verb->add_option("JOB,--job", flags->request.job, "only of this job (id or name)")
      ->check(WrongIfEmpty);
  verb->add_option("--kind", flags->request.kinds,
                   "only of this kind, or kinds that begin so: JobFailed, Job (repeatable)")
      ->allow_extra_args(false)
      ->check(WrongIfEmpty);
  verb->add_option("--without", flags->request.without_kinds,
                   "all but this kind, or kinds that begin so: Checkpoint (repeatable)")
      ->type_name("KIND")
      ->allow_extra_args(false)
      ->check(WrongIfEmpty);
  verb->add_flag("-f,--follow", flags->request.follow, "go on with new events");
  verb->add_option("--after", flags->request.after,
                   "only after this cursor (-o wide shows cursors)")
      ->check(WrongCount);
  verb->add_option("--tail", flags->tail, "only the newest N, oldest of them first; 0: all")
      ->check(WrongCount);
  verb->add_option("--limit", flags->limit,
                   "at most so many, the newest; with --after or -f the first; 0: all")
      ->check(WrongCount);
  verb->footer(
      "\nWith -f, -o json prints one event a line.\n\n"
      "Examples:\n  cox events j12 --without Checkpoint\n  cox events -f --tail 20\n"
      "  cox events --after 1200 --limit 100 -o json");
  verb->callback([=] { session->action = [=] { return Events(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
