// One connection between a worker and the coordinator: ordered and reliable in both directions
// until it breaks, as gRPC's streams are. What is on its way when an end breaks is lost for that
// end.
//
// A cut path holds bytes back and loses none; if it lasts, keep-alive breaks both ends. So it does
// with the end that nobody told that the other one is gone.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/protocol/worker_messages.h"
#include "sim/dice.h"
#include "sim/event_queue.h"

namespace coxswain::sim {

// The path of one machine to the coordinator.
struct Path {
  bool cut_up = false, cut_down = false;
  base::Duration delay_low{200}, delay_high{2000};
};

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  struct End {
    std::function<void(const std::string& why)> broken;  // once, and nothing comes after it
    bool open = true;
  };

  Stream(EventQueue* queue, Dice* dice, const Path* path)
      : queue_(*queue), dice_(*dice), path_(*path) {}

  // What the worker does with an order that has come.
  std::function<void(base::Term term, const protocol::WorkerOrder& order)> take_order;

  End& worker() { return ends_[0]; }
  End& coordinator() { return ends_[1]; }

  // `deliver` runs at the other end, if that is still open.
  void Up(std::function<void()> deliver) { Send(1, std::move(deliver)); }
  void Down(std::function<void()> deliver) { Send(0, std::move(deliver)); }

  // This end is closed, or its process has gone: the other learns of it after what was sent.
  // `silently`: the machine lost its power, nobody tells the other end.
  void CloseAtWorker(const std::string& why, bool silently = false) { Close(0, why, silently); }
  void CloseAtCoordinator(const std::string& why) { Close(1, why, false); }
  // Both ends find out by themselves.
  void Break(const std::string& why);
  // The path has changed: what was held goes on.
  void Flush();

 private:
  void Send(size_t to, std::function<void()> deliver);
  void Arrive(size_t to, std::function<void()> deliver);
  void Close(size_t from, const std::string& why, bool silently);
  void Finish(size_t which, const std::string& why);
  bool Cut(size_t to) const { return to == 1 ? path_.cut_up : path_.cut_down; }

  EventQueue& queue_;
  Dice& dice_;
  const Path& path_;
  End ends_[2];  // 0: the worker's
  base::Time last_[2];
  std::deque<std::function<void()>> held_[2];
};

}  // namespace coxswain::sim
