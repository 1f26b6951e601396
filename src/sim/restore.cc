// Rank 0 looks for the newest checkpoint that verifies: trainer/runtime/restore.cc in virtual time.
#include "sim/engine.h"
#include "sim/machine.h"
#include "sim/rank_process.h"
#include "sim/world.h"

namespace coxswain::sim {

using base::Duration;
using base::milliseconds;
using base::seconds;

void Engine::Restore(const std::shared_ptr<Group>& group) {
  if (group != group_ || !command_) return;
  phase_ = protocol::Phase::kRestoring;
  TryRestore(group, 0, {}, world_.queue.now() + seconds(60), std::nullopt);
}

void Engine::EndRestore(const std::shared_ptr<Group>& group, std::optional<Agreed> agreed,
                        const std::string& why, int code) {
  if (agreed) return group->Restored(std::move(agreed), false);
  Answer(trainer::core::EngineFailed{why, code,
                                     code == protocol::kExitUserError
                                         ? protocol::FailureKind::kSettings
                                         : protocol::FailureKind::kStore});
  group->Restored(std::nullopt, true);
}

void Engine::TryRestore(const std::shared_ptr<Group>& group, size_t candidate, Agreed agreed,
                        base::Time give_up, std::optional<Reading> newest_named) {
  const protocol::FormGeneration& form = group->form();
  if (candidate >= form.restore.size()) {
    if (!newest_named) return EndRestore(group, std::move(agreed), "", 0);
    bool damaged = newest_named->verdict == Reading::kCorrupt;
    return EndRestore(group, std::nullopt,
                      "the checkpoint to resume from cannot be used: " + newest_named->why,
                      damaged ? protocol::kExitInfrastructure : protocol::kExitUserError);
  }
  Duration takes = world_.dice.Span(milliseconds(5), milliseconds(400));
  process_.After(takes, [=, this]() mutable {
    if (group != group_ || !command_) return;
    const protocol::RestoreCandidate& from = group->form().restore[candidate];
    if (world_.blobs.away) {
      if (world_.queue.now() < give_up) {
        return TryRestore(group, candidate, std::move(agreed), give_up, std::move(newest_named));
      }
      return EndRestore(group, std::nullopt, "the store could not be read for a long time",
                        protocol::kExitInfrastructure);
    }
    std::string place = world_.blobs.Place(from.uri, process_.machine().index());
    Reading reading =
        world_.blobs.Read(place, from.uri, from.manifest_hash, group->form().allow_uncommitted);
    if (reading.verdict == Reading::kWhole) {
      agreed.has_state = true;
      agreed.state = reading.state;
      agreed.state.step = reading.step;
      agreed.state.position = reading.position;
      agreed.formed.restored_uri = from.uri;
      agreed.formed.restored = from.id;
      return EndRestore(group, std::move(agreed), "", 0);
    }
    bool corrupt = reading.verdict != Reading::kUncommitted;
    agreed.formed.refused.push_back({from.uri, reading.why, corrupt});
    if (!from.id && !newest_named) newest_named = reading;
    TryRestore(group, candidate + 1, std::move(agreed), world_.queue.now() + seconds(60),
               std::move(newest_named));
  });
}

}  // namespace coxswain::sim
