// Answers the coordinator's ReadLog orders from the rank's files, following them without polling
// (inotify). Lives on the worker's loop.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "common/protocol/worker_messages.h"
#include "worker/process/fd_watch.h"
#include "worker/process/log_files.h"

namespace coxswain::worker {

class LogRelay {
 public:
  struct Doors {
    std::function<std::string(const protocol::RankKey&)> folder_of;
    std::function<bool(const protocol::RankKey&)> live;  // its log may still grow
    std::function<bool(protocol::LogData&)> send;        // false: the stream is full
  };
  LogRelay(process::FdWatch& watch, Doors doors);
  ~LogRelay();
  LogRelay(const LogRelay&) = delete;
  LogRelay& operator=(const LogRelay&) = delete;

  void Serve(const protocol::ReadLog& order);
  void Pump();                                   // the stream has room again
  void RankEnded(const protocol::RankKey& key);  // after `live` says so too
  void Clear();                                  // the session is over

 private:
  struct Request {
    protocol::ReadLog order;
    process::LogFiles files;
    uint64_t offset = 0;
    int watch = -1;  // of inotify
  };
  bool Begin(Request& request, std::string& error);
  bool PumpRequest(Request& request);  // false: it has ended
  bool SendPart(Request& request, std::string data, std::string note, uint64_t oldest);
  void Fail(const protocol::ReadLog& order, std::string error);
  void Remove(std::map<uint64_t, Request>::iterator it);
  void TakeNotices();

  process::FdWatch& watch_;
  const Doors doors_;
  const int inotify_;
  std::map<uint64_t, Request> requests_;
};

}  // namespace coxswain::worker
