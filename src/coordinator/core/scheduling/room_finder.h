// Room for one gang: what is free and promised to nobody, what is promised but not needed before
// the gang will have ended, and what others will let go or have to. Inside scheduling/ only.
#pragma once

#include <functional>
#include <map>
#include <set>

#include "coordinator/core/scheduling/planner.h"

namespace coxswain::coordinator::core {

// What a job that does not fit now is promised.
struct Promise {
  bool made = false;   // slots are kept for it; `starts` may not be known all the same
  bool taken = false;  // those who stop let go of all of them
  std::optional<base::Time> starts;
  std::optional<Release> next;  // if there is no text
  std::string text;    // "; it gets the slots of j1, asked to save and let go", after what it needs
  std::string behind;  // "; j1 goes before it": what it waits for has not begun
  std::vector<Preemption> preemptions;
  std::optional<base::Time> spared;  // until then one is left alone that it could stop
  std::string spared_text;           // "; j1 is about to end, and is left alone for 20 s"
};

// Free slots that a job would fit into, but that are promised to others.
struct Kept {
  std::vector<JobId> jobs;  // those whose slots it takes
  std::set<NodeId> on;      // nodes that would have room for a rank of it; of many, some
  std::string text;         // "; 8 free CPU slots are kept for j1 (big)"
};

// Where a job goes now.
struct Room {
  GangFit fit;
  std::vector<JobId> lent;  // promised to these, who do not need it before the job will have ended
  explicit operator bool() const { return !fit.shares.empty(); }
};

enum class Moved {
  kYes,
  kNo,      // no room
  kLetsGo,  // somebody else has been promised its slots
};

class RoomFinder {
 public:
  // Both outlive it. The request's queues are told who is about to let go.
  RoomFinder(PlanRequest& request, const Policy& policy);

  // Now. `expected`: how long it would run, if that is known.
  Room Fit(const PendingJob& needs, std::optional<base::Duration> expected);
  // Not even if all that is promised for some known time were lent to it.
  bool NeverFits(const PendingJob& needs);
  // Gives it these slots. It will let them go when it ends, and not before.
  Placement Place(const WaitingJob& job, const PendingJob& needs, const Room& room);
  // A lost one, to other slots, or to those of its own that can be reached. kNo: `why` it stays,
  // and what it may have been promised.
  Moved Move(const WaitingJob& job, const PendingJob& needs, std::string* why, Promise* promise);
  // What it needs and what is free, whether or not that is promised to others.
  std::string WhyNotNow(const PendingJob& needs);
  // It would fit if those that are stopping had let go.
  bool FitsOnceStopped(const WaitingJob& job, const PendingJob& needs);
  // A limit of its queue or user keeps it back: as things are, and when those start to which
  // something is promised; but for what it would have ended before.
  bool IsOverLimits(const WaitingJob& job, std::optional<base::Duration> expected);
  // Takes out of the view what the job will have: what others let go of for it, or (`waits`) what
  // they do in any case.
  Promise Reserve(const WaitingJob& job, const PendingJob& needs, bool waits);
  // Others might let go for it.
  bool MightTake(const WaitingJob& job) const;
  // What can be told of a job that was promised nothing. For when all that can be placed has been:
  // what it will have is taken out of the view, too. `before`: it would go before this one, to
  // which something was promised.
  // In a gap: before those to whom something is promised start, if it is known to have ended by
  // then.
  std::optional<base::Time> ForecastInGap(const WaitingJob& job, const PendingJob& needs);
  using Before = std::function<bool(JobId promised)>;
  Promise Forecast(const WaitingJob& job, const PendingJob& needs, const Before& before);
  // At most so many of those that hold what the job waits for, the first to end first.
  std::vector<JobId> WaitsFor(const WaitingJob& job, const PendingJob& needs, size_t most);
  // Of one that does not fit: whose promised slots it would fit into.
  Kept KeptFrom(const PendingJob& needs);
  // "; it needs 9 CPU slots, more than ...": why those that the policy says yield do not.
  std::string WhyNoneYield(const WaitingJob& job) const;
  // Gives back all that was placed or promised.
  void Undo();

 private:
  struct Reservation {
    std::optional<base::Time> starts;  // not before; nothing: nobody knows
    JobId job;
  };

  // What a promise has of the slots of one that still holds them: as long as both are there, it
  // takes nothing that is free.
  struct Overlap {
    JobId from, to;
    Holding on_node;  // one rank's worth: CPU slots and memory, as GPUs are told apart; or none
    QueueIndex queue = 0;  // what it has of that queue's quota and limits
    std::string_view user;
    Amount amount;
    UserUse of_user;
  };

  using Enders = std::vector<const RunningJob*>;

  struct Victim {
    RunningJob* job;
    std::string why;  // it has to go; empty: it is going already
  };
  enum class First { kYoungest, kSmall };

  // Those whose slots the job may have, the first to go first.
  std::vector<RunningJob*> Candidates(const WaitingJob& job, First first);
  // Until when it is left alone, although the job might have its slots.
  std::optional<base::Time> SparedUntil(const RunningJob& running, const WaitingJob& job) const;
  void TellSpared(const WaitingJob& job, Promise* promise) const;
  // Enough of them, and of those that are going. Nothing: all would not be enough.
  std::optional<std::vector<Victim>> Choose(const WaitingJob& job, const PendingJob& needs,
                                            First first);
  std::optional<std::vector<Victim>> Choose(const WaitingJob& job, const PendingJob& needs);
  // Whom it spares most of all is most of it.
  using Tier = std::tuple<bool, bool, int32_t>;
  Tier TierOf(const RunningJob& running, const WaitingJob& than) const;
  int64_t SizeOf(const PlannedJob& job) const;
  bool Gives(const RunningJob& running, const WaitingJob& to) const;
  std::string WhyYields(const RunningJob& running, const WaitingJob& to) const;
  template <class Holds>
  bool Without(const RunningJob& running, Holds holds) const;
  bool GoesFirst(const RunningJob& running, const WaitingJob& than) const;
  bool OnlyGrewTooLarge(const RunningJob& running) const;
  bool HasRoom(const WaitingJob& job, const PendingJob& needs);
  const Holding& HeldBy(const RunningJob& running);
  // A limit that keeps a job back: all of a queue's jobs count for it, or those of one user there.
  struct Barrier {
    QueueIndex queue;
    bool of_user;
  };
  std::optional<Barrier> BarredBy(const WaitingJob& job) const;
  bool Counts(const RunningJob& running, const WaitingJob& job, const Barrier& by) const;
  // The job waits for what it holds, among others; `Helps`: and is not promised that itself.
  bool HoldsWanted(const RunningJob& running, const WaitingJob& job, const PendingJob& needs);
  bool Helps(const RunningJob& running, const WaitingJob& job, const PendingJob& needs);
  std::optional<base::Time> EndOf(const RunningJob& running) const;
  std::string EndNotKnown(const RunningJob& last) const;
  std::string EndNotKnown(Enders::const_iterator from, Enders::const_iterator end,
                          const WaitingJob& job, const PendingJob& needs);
  bool IsPromised(JobId job) const;
  int64_t FreeFor(const PendingJob& needs, const std::set<NodeId>& on) const;
  std::string KeptText(const std::vector<const Reservation*>& kept, const PendingJob& needs,
                       int64_t free) const;
  Enders BySoonestEnd();
  std::optional<Release> NextRelease(const Enders& order, const WaitingJob& job,
                                     const PendingJob& needs);
  void LetGo(const RunningJob& running, int sign);
  void LetGo(const RunningJob& running, bool promised, int sign);
  bool TakeBack(const WaitingJob& job, const PendingJob& needs, Promise* promise);
  std::optional<base::Time> OnceAllowed(const WaitingJob& job, const PendingJob& needs,
                                        const Before& before);
  void Lift(JobId promised, int sign);
  void LiftAll(int sign);
  // `enders`: who lets go by then, in whatever order; they have, just now. `spares`: what they hold
  // is not kept from now on, too.
  void Keep(const WaitingJob& job, const PendingJob& needs, std::optional<base::Time> starts,
            const Enders& enders, bool spares);
  // What comes free on a node, and is promised to nobody.
  struct Freed {
    int64_t cpus = 0, memory = 0;
    std::set<std::string> gpus;
  };
  std::map<NodeId, Freed> FreedBy(const Enders& enders) const;
  PlacementView NodesOf(const std::map<NodeId, Freed>& freed, const PendingJob& needs,
                        bool only_freed) const;
  std::optional<Holding> ChoosePart(const PendingJob& needs, const std::string& kind,
                                    PlacementView* freed);
  Holding ChooseKept(const PendingJob& needs, const Enders& enders);
  void NoteOverlaps(JobId job, const Holding& kept, const Enders& enders);
  bool Toggle(JobId job, int sign);
  void NoteQueueOverlaps(const PlannedJob& job, const Enders& enders);
  void Count(const PlannedJob& job, bool promised, int sign);
  // `spares`: others are still to be placed on what is free.
  bool WaitForEnds(const WaitingJob& job, const PendingJob& needs, bool spares, Promise* promise);
  void WillRun(const WaitingJob& job, std::optional<base::Time> starts);
  Placement Take(const WaitingJob& job, const PendingJob& needs, const Room& room);
  void Took(const WaitingJob& job, Holding holding);

  PlanRequest& in_;
  const Policy& policy_;
  std::vector<Reservation> reservations_;
  std::map<JobId, Holding> held_;  // asked for once
  std::set<JobId> placed_;         // by this plan, or promised slots
  std::map<JobId, size_t> kept_;  // promised slots: where they are in in_.running, as they will run
  // Of those of in_.running that have been looked at: whether it is not known when it ends, when
  // (or when it started), who, and where it is in that list.
  using Ends = std::tuple<bool, int64_t, JobId, size_t>;
  std::vector<Ends> ends_;
  std::vector<Overlap> overlaps_;
  std::map<JobId, std::vector<size_t>> overlaps_of_;  // of either side
  std::set<JobId> gone_;  // those with overlaps that count as having let go, or not been promised
  size_t kept_work_ = 0;  // nodes that were looked at for KeptFrom
  size_t lent_work_ = 0;  // ranks of promises that were lifted for Fit
};

}  // namespace coxswain::coordinator::core
