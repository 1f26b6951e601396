// A coordinator's worker port that records what workers say and sends what a test wants.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/rpc/convert.h"
#include "coxswain/internal/v1/internal.grpc.pb.h"

namespace coxswain::worker {

namespace wire = ::coxswain::internal::v1;

class FakeCoordinator final : public wire::WorkerGateway::Service {
 public:
  explicit FakeCoordinator(std::string token, int port = 0) : token_(std::move(token)) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeCoordinator() override { Stop(); }
  void Stop() {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  int port() const { return port_; }

  using Stream = grpc::ServerReaderWriter<wire::WorkerOrder, wire::WorkerReport>;
  grpc::Status Connect(grpc::ServerContext* context, Stream* stream) override {
    auto token = context->client_metadata().find("authorization");
    std::string expected = "Bearer " + token_;
    if (token == context->client_metadata().end() ||
        std::string(token->second.data(), token->second.size()) != expected) {
      return {grpc::StatusCode::UNAUTHENTICATED, "wrong token"};
    }
    {
      std::lock_guard lock(mutex_);
      stream_ = stream;
    }
    stream->SendInitialMetadata();  // tells the worker that its stream is open
    wire::WorkerReport message;
    while (stream->Read(&message)) {
      protocol::WorkerReport report;
      EXPECT_TRUE(rpc::FromProto(message, &report).ok());
      std::lock_guard lock(mutex_);
      reports_.push_back(std::move(report));
      changed_.notify_all();
    }
    std::lock_guard lock(mutex_);
    stream_ = nullptr;
    return grpc::Status::OK;
  }

  void Send(const protocol::WorkerOrder& order, base::Term term = base::Term(1)) {
    wire::WorkerOrder message;
    rpc::ToProto(order, term, &message);
    std::lock_guard lock(mutex_);
    if (stream_ != nullptr) stream_->Write(message);
  }

  // The next report of kind T; heartbeats and other kinds before it are dropped.
  template <class T>
  T Next(std::chrono::seconds limit = std::chrono::seconds(8)) {
    std::unique_lock lock(mutex_);
    auto until = std::chrono::steady_clock::now() + limit;
    while (true) {
      while (!reports_.empty()) {
        protocol::WorkerReport report = std::move(reports_.front());
        reports_.pop_front();
        if (T* found = std::get_if<T>(&report)) return std::move(*found);
      }
      if (changed_.wait_until(lock, until) == std::cv_status::timeout && reports_.empty()) {
        throw std::runtime_error("the report did not come");
      }
    }
  }

  // Takes the hello and welcomes the worker.
  protocol::WorkerHello Welcome(base::Term term = base::Term(1),
                                const std::string& cluster = "cluster-1") {
    auto hello = Next<protocol::WorkerHello>();
    Send(protocol::Welcome{base::ClusterId(cluster), term, base::seconds(5), ""}, term);
    return hello;
  }

 private:
  const std::string token_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Stream* stream_ = nullptr;
  std::deque<protocol::WorkerReport> reports_;
};

}  // namespace coxswain::worker
