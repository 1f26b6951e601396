// TrainerGateway over gRPC, on a Unix socket.
#include <map>
#include <mutex>

#include "common/base/version.h"
#include "common/rpc/channel.h"
#include "common/rpc/convert.h"
#include "common/rpc/queued_server.h"
#include "common/rpc/server.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"
#include "worker/runtime/trainer_gateway.h"

namespace coxswain::worker {
namespace {

namespace wire = ::coxswain::internal::v1;
using Stream = rpc::QueuedServer<wire::TrainerUp, wire::TrainerDown>;
using Call = Stream::Call;

class TrainerServer;

// One stream. Lives until gRPC has let go of it and the table has forgotten it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(TrainerServer* server, ConnectionId id) : server_(server), id_(id) {}

  Call* Begin() {
    return stream_.Begin(
        shared_from_this(), [this](wire::TrainerUp& in) { Received(in); }, [this] { Ended(); });
  }
  void Send(wire::TrainerDown message) { stream_.Send(std::move(message)); }
  void Refuse(const std::string& reason) {
    stream_.End({grpc::StatusCode::PERMISSION_DENIED, rpc::Utf8(reason)});
  }
  void Leave() {
    stream_.Abort({grpc::StatusCode::UNAVAILABLE, "the worker is shutting down; ranks go on"});
  }
  ConnectionId id() const { return id_; }

 private:
  void Received(wire::TrainerUp& in);
  grpc::Status Hello(const wire::TrainerUp& in);
  grpc::Status Body(wire::TrainerUp& in);
  grpc::Status Metrics(const wire::MetricPoints& in);
  void Ended();

  TrainerServer* const server_;
  const ConnectionId id_;
  Stream stream_{"the process"};
  bool known_ = false;  // its hello has come; touched by reactions only
};

class TrainerServer final : public TrainerGateway, public wire::TrainerGateway::CallbackService {
 public:
  ~TrainerServer() override { Stop(); }

  absl::Status Start(const std::string& socket_path, TrainerEvents events) override {
    events_ = std::move(events);
    absl::StatusOr<std::unique_ptr<rpc::Server>> server =
        rpc::Server::Start({.address = "unix:" + socket_path,
                            .services = {{wire::TrainerGateway::service_full_name(), this}},
                            .token = "",
                            .reflection = false});
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    return absl::OkStatus();
  }

  void Send(ConnectionId connection, protocol::TrainerOrder order) override {
    wire::TrainerDown message;
    rpc::ToProto(order, message.mutable_order());
    Send(connection, std::move(message));
  }
  void AcknowledgeMetrics(ConnectionId connection, uint64_t sequence) override {
    wire::TrainerDown message;
    message.mutable_metrics_buffered()->set_sequence(sequence);
    Send(connection, std::move(message));
  }
  void SendTask(ConnectionId connection, protocol::StartTask task) override {
    wire::TrainerDown message;
    rpc::ToProto(task, message.mutable_start_task());
    Send(connection, std::move(message));
  }
  void AcknowledgeTaskEnded(ConnectionId connection) override {
    wire::TrainerDown message;
    message.mutable_task_ended_received();
    Send(connection, std::move(message));
  }
  void Refuse(ConnectionId connection, const std::string& reason) override {
    if (auto found = Find(connection)) found->Refuse(reason);
  }

  void Stop() override {
    if (server_ == nullptr) return;
    std::map<ConnectionId, std::shared_ptr<Connection>> all;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      all = connections_;
    }
    for (auto& [id, connection] : all) connection->Leave();
    server_->Shutdown(base::milliseconds(100));  // to let the status out
    server_.reset();
  }

  // ---- for gRPC and Connection ----

  Call* Connect(grpc::CallbackServerContext*) override {
    std::shared_ptr<Connection> connection;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return Call::Refuse({grpc::StatusCode::UNAVAILABLE, "shutting down"});
      connection = std::make_shared<Connection>(this, last_ = last_.Next());
      connections_[connection->id()] = connection;
    }
    return connection->Begin();
  }
  grpc::ServerUnaryReactor* FindCode(grpc::CallbackServerContext* context,
                                     const wire::FindCodeRequest* request,
                                     wire::FindCodeResponse* response) override {
    absl::StatusOr<std::string> path = events_.find_code(request->code());
    if (path.ok()) response->set_path(*path);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(rpc::ToGrpc(path.status()));
    return reactor;
  }
  void Forget(ConnectionId id) {
    std::lock_guard lock(mutex_);
    connections_.erase(id);
  }
  const TrainerEvents& events() const { return events_; }

 private:
  std::shared_ptr<Connection> Find(ConnectionId id) {
    std::lock_guard lock(mutex_);
    auto it = connections_.find(id);
    return it == connections_.end() ? nullptr : it->second;
  }
  void Send(ConnectionId id, wire::TrainerDown message) {
    if (auto found = Find(id)) found->Send(std::move(message));
  }

  TrainerEvents events_;
  std::unique_ptr<rpc::Server> server_;
  std::mutex mutex_;
  std::map<ConnectionId, std::shared_ptr<Connection>> connections_;  // guarded by mutex_
  ConnectionId last_;                                                // guarded by mutex_
  bool stopping_ = false;                                            // guarded by mutex_
};

void Connection::Received(wire::TrainerUp& in) {
  grpc::Status status = known_ ? Body(in) : Hello(in);
  if (!status.ok()) stream_.End(status);
}

grpc::Status Connection::Hello(const wire::TrainerUp& in) {
  if (!in.has_hello()) {
    return {grpc::StatusCode::FAILED_PRECONDITION, "the first message is no TrainerHello"};
  }
  const wire::TrainerHello& hello = in.hello();
  if (hello.protocol_newest() < base::kProtocolOldest ||
      hello.protocol_oldest() > base::kProtocolNewest) {
    return {grpc::StatusCode::FAILED_PRECONDITION,
            "the trainer speaks protocols " + std::to_string(hello.protocol_oldest()) + " to " +
                std::to_string(hello.protocol_newest()) + ", this worker " +
                std::to_string(base::kProtocolOldest) + " to " +
                std::to_string(base::kProtocolNewest) +
                ": install the same version of cox-trainer and cox-worker"};
  }
  TrainerIdentity identity;
  identity.task = base::TaskId(hello.task());
  identity.incarnation = base::Incarnation(hello.incarnation());
  if (!identity.task) {
    absl::Status status = rpc::FromProto(hello.key(), &identity.key);
    if (!status.ok() || !identity.incarnation) {
      return {grpc::StatusCode::INVALID_ARGUMENT,
              "TrainerHello names neither a rank and its incarnation nor a task"};
    }
  }
  known_ = true;
  server_->events().connected(id_, identity);
  return grpc::Status::OK;
}

grpc::Status Connection::Body(wire::TrainerUp& in) {
  auto bad = [](const absl::Status& status) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, std::string(status.message()));
  };
  switch (in.body_case()) {
    case wire::TrainerUp::kReport: {
      protocol::TrainerReport report;
      if (absl::Status s = rpc::FromProto(in.report(), &report); !s.ok()) return bad(s);
      server_->events().report(id_, std::move(report));
      return grpc::Status::OK;
    }
    case wire::TrainerUp::kMetrics:
      return Metrics(in.metrics());
    case wire::TrainerUp::kTaskEnded: {
      protocol::TaskEnded ended;
      if (absl::Status s = rpc::FromProto(in.task_ended(), &ended); !s.ok()) return bad(s);
      server_->events().task_ended(id_, std::move(ended));
      return grpc::Status::OK;
    }
    case wire::TrainerUp::kHello:
      return {grpc::StatusCode::FAILED_PRECONDITION, "a second TrainerHello"};
    case wire::TrainerUp::BODY_NOT_SET:
      break;
  }
  return {grpc::StatusCode::INVALID_ARGUMENT,
          "TrainerUp.body is empty or of a kind that this version does not know"};
}

grpc::Status Connection::Metrics(const wire::MetricPoints& in) {
  std::vector<protocol::MetricPoint> points(in.points_size());
  for (int i = 0; i < in.points_size(); ++i) {
    if (absl::Status s = rpc::FromProto(in.points(i), &points[i]); !s.ok()) {
      return {grpc::StatusCode::INVALID_ARGUMENT, std::string(s.message())};
    }
  }
  server_->events().metrics(id_, in.sequence(), std::move(points), in.dropped());
  return grpc::Status::OK;
}

void Connection::Ended() {
  server_->Forget(id_);
  if (known_) server_->events().disconnected(id_);
}

}  // namespace

std::unique_ptr<TrainerGateway> MakeTrainerGateway() { return std::make_unique<TrainerServer>(); }

}  // namespace coxswain::worker
