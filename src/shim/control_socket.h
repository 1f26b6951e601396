// The shim's side of the line protocol in common/base/shim_protocol.h: the listening socket in the
// current folder and the workers connected to it.
#pragma once

#include <poll.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coxswain::shim {

class ControlSocket {
 public:
  struct Line {
    int client = -1;
    std::string text;
  };

  ControlSocket() = default;
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // Binds the socket in the current folder (so that its path is short whatever the folder's is).
  // Empty on success, else what failed.
  std::string Listen();

  // A connection that the worker made before it started this shim: subscribed from the start.
  void AddSubscribed(int fd);

  void AppendPolls(std::vector<pollfd>& polls) const;

  // Takes in what is ready and returns the complete lines. Only this user (or root) is heard.
  std::vector<Line> Take(const std::vector<pollfd>& polls);

  void Subscribe(int client);
  void Send(int client, std::string_view line);
  void SendToSubscribers(std::string_view line);

  // Closes everything and removes the socket's file.
  void Close();

 private:
  struct Client {
    std::string pending;  // an incomplete line
    bool subscribed = false;
  };
  void Accept();
  bool Receive(int fd, std::vector<Line>& lines);  // false: the client is gone
  void Drop(int fd);

  int listener_ = -1;
  std::map<int, Client> clients_;
};

}  // namespace coxswain::shim
