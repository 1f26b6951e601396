// Writes what enters a core to files, of bounded size in all: <folder>/recording-000012.rec. A new
// file begins with the whole state, so that every one can be replayed alone; the oldest go.
//
// It never stops the daemon, nor holds it up: the core's thread makes bytes of an event, a thread
// of its own writes them, without waiting for the disk to sync. What cannot be written ends the
// file at its last whole record; `problem` is told, and later a new file is tried.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/record/recorded.h"

namespace coxswain::coordinator::record {

class Recorder {
 public:
  struct Options {
    std::string folder;  // made if it is not there
    uint64_t most_bytes = uint64_t{64} << 20;
    base::Duration retry = base::seconds(60);  // after a problem
    // One line for people; empty: it has recorded again for as long as `retry`. Called on either
    // thread.
    std::function<void(const std::string&)> problem = [](const std::string&) {};
  };
  explicit Recorder(Options options);
  ~Recorder() { Stop(); }

  // On the core's thread. Begin: a core's life begins, or goes on in a new file.
  void Begin(const core::Settings& settings, const core::Coordinator& core, base::Time now,
             base::WallTime wall, std::string reason);
  void Turn(const core::Event& event, const core::Decisions& decisions);
  // After some turns: goes on in a new file if this one is full, or tries again after a problem.
  void KeepUp(const core::Settings& settings, const core::Coordinator& core, base::Time now,
              base::WallTime wall);
  // `core`: after its last turn; null: it has been dropped.
  void End(const core::Coordinator* core, std::string reason);

  // While the disk is nearly full nothing is recorded. Any thread.
  void Shed(bool shed) { shed_ = shed; }
  // Writes what waits. Nothing is recorded after it.
  void Stop();

 private:
  struct Item {
    std::unique_ptr<Beginning> beginning;  // of a new file
    std::string bytes;                     // whole records
    std::string stop;                      // why the file ends then; empty: it does not
  };

  void Push(Item item);
  void Run();
  void Write(Item& item);
  std::string OpenNext(Beginning& beginning);
  std::string Append(const std::string& bytes);
  void MakeRoom(uint64_t bytes);
  void Fail(const std::string& why);
  void CloseFile();

  const Options options_;
  std::atomic<bool> shed_ = false;
  std::atomic<bool> failed_ = false;         // the file has ended; a new one is needed
  std::atomic<bool> told_ = false;           // of a problem that is not over
  std::atomic<uint64_t> waiting_bytes_ = 0;  // not yet written
  std::atomic<uint64_t> state_bytes_ = 0;    // of the file's first record
  std::atomic<uint64_t> turn_bytes_ = 0;     // of all others

  // The core's thread's own.
  bool recording_ = false;
  base::Time try_at_;

  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Item> queue_;  // guarded by mutex_
  bool stopped_ = false;     // guarded by mutex_

  // The writing thread's own.
  int file_ = -1;
  std::string path_;
  uint64_t size_ = 0;  // of whole records
  uint64_t last_number_ = 0;
  std::thread thread_;
};

// The recordings of a folder, oldest first.
std::vector<std::string> FindRecordings(const std::string& folder);

}  // namespace coxswain::coordinator::record
