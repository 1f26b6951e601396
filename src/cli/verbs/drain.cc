#include <CLI/CLI.hpp>

#include "cli/output/words.h"
#include "cli/rpc/coordinator_clock.h"
#include "cli/verbs/flag_checks.h"
#include "cli/verbs/verb.h"
#include "common/config/quantities.h"

namespace coxswain::cli::verbs {
namespace {

struct Flags {
  std::string node;
  std::string reason;
  bool undo = false;
  std::string deadline;  // from now
};

int Drain(const Session& session, const Flags& flags) {
  const auto in = config::ParseDuration(flags.deadline);
  auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.status());
  if (in) {  // on the coordinator's clock, which its first answer tells
    if (const auto info = (*client)->GetServerInfo(); !info.ok())
      return session.Fail(info.status());
  }
  const int64_t deadline = in ? rpc::CoordinatorNow().us + in->count() : 0;  // 0: none
  const auto drained = (*client)->DrainNode(flags.node, flags.reason, flags.undo, deadline);
  if (!drained.ok()) return session.Fail(drained.status());
  const rpc::Node& node = drained->node;
  const size_t jobs = node.jobs.size();
  session.Print(
      output::OneLine(node.name) + " is " + node.state +
      (jobs > 0 && !flags.undo
           ? ": " + std::to_string(jobs) + (jobs == 1 ? " job" : " jobs") +
                 (deadline > 0 ? " to end, or to save and let go before " + output::When(deadline)
                  : jobs == 1  ? " goes on to its end"
                               : " go on to their ends")
           : "") +
      "\n");
  for (const std::string& warning : drained->warnings) {
    session.Note("warning: " + output::OneLine(warning));
  }
  return kSuccess;
}

}  // namespace

void AddDrain(CLI::App* app, Session* session) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app->add_subcommand("drain", "Give no more work to a node, so that it empties");
  verb->add_option("NODE", flags->node, "name or id, as in `cox nodes`")->required();
  verb->add_option("--reason", flags->reason, "shown in `cox nodes`")->check(WrongReason);
  CLI::Option* deadline =
      verb->add_option(
              "--deadline", flags->deadline,
              "from now: its jobs save and let go before (10m); without it they end by themselves")
          ->check(WrongDrainTime);
  verb->add_flag("--undo", flags->undo, "give it work again")->excludes(deadline);
  verb->footer(
      "\nExamples:\n  cox drain node-7 --reason \"new disk\"\n  cox drain node-7 --deadline 10m "
      "--reason \"power is cut\"\n  cox drain node-7 --undo");
  verb->callback([=] { session->action = [=] { return Drain(*session, *flags); }; });
}

}  // namespace coxswain::cli::verbs
