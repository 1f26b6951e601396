#include "common/rpc/server.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/rpc/channel.h"
#include "common/rpc/error_details.h"
#include "common/rpc/token.h"
#include "coxswain/v1/coxswain.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace coxswain::rpc {
namespace {

namespace reflection = ::grpc::reflection::v1alpha;

class Info final : public v1::Coxswain::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetServerInfo(grpc::CallbackServerContext* call,
                                          const v1::GetServerInfoRequest*,
                                          v1::ServerInfo* out) override {
    auto* reactor = call->DefaultReactor();
    out->set_version("7");
    reactor->Finish(CheckToken(*call, "secret"));
    return reactor;
  }
};

class Serving : public testing::Test {
 protected:
  Serving() {
    std::string name = (std::filesystem::temp_directory_path() / "cox-server-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  ~Serving() override { std::filesystem::remove_all(folder_); }

  absl::StatusOr<std::unique_ptr<Server>> Start(const std::string& address) {
    return Server::Start({.address = address,
                          .services = {{v1::Coxswain::service_full_name(), &service_}},
                          .token = "secret"});
  }
  grpc::Status Ask(const std::string& address, const std::string& token) {
    auto channel = MakeChannel(address, {});
    EXPECT_TRUE(channel.ok()) << channel.status();
    auto stub = v1::Coxswain::NewStub(*channel);
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    Authorize(&call, token);
    v1::ServerInfo info;
    return stub->GetServerInfo(&call, {}, &info);
  }

  Info service_;
  std::filesystem::path folder_;
};

TEST_F(Serving, PortZero_IsChosenAndAnswersOnlyTheToken) {
  auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_NE((*server)->address(), "127.0.0.1:0");
  EXPECT_TRUE(Ask((*server)->address(), "secret").ok());
  EXPECT_EQ(Ask((*server)->address(), "wrong!").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  grpc::Status none = Ask((*server)->address(), "");
  EXPECT_EQ(none.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_NE(none.error_message().find("COX_TOKEN"), std::string::npos);
}

TEST_F(Serving, PortInUse_IsOneClearLine) {
  auto first = Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = Start((*first)->address());
  EXPECT_TRUE(absl::IsAlreadyExists(second.status()));
  std::string text(second.status().message());
  EXPECT_EQ(text.find((*first)->address() + " is in use by another process: "), 0u) << text;
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST_F(Serving, AddressesThatAreNone_AreRefused) {
  for (const char* address : {"127.0.0.1", "127.0.0.1:", ":7070", "127.0.0.1:70000", "127.0.0.1:x",
                              "203.0.113.9:7070", "unix:/no/such/folder/socket"}) {
    EXPECT_FALSE(Start(address).ok()) << address;
  }
}

TEST_F(Serving, UnixSocketWithALongAndOddPath_IsClosedToOthersAndServes) {
  std::filesystem::path deep = folder_ / std::string(120, 'd') / "with space%41";
  std::filesystem::create_directories(deep);
  std::string path = deep / "trainers.sock";
  auto server = Start("unix:" + path);
  ASSERT_TRUE(server.ok()) << server.status();
  struct stat file;
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_TRUE(Ask("unix:" + path, "secret").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Start("unix:" + path).status()));
}

TEST_F(Serving, UnixSocketOfADeadProcess_IsReplaced) {
  std::string path = folder_ / "s";
  auto first = Start("unix:" + path);
  ASSERT_TRUE(first.ok()) << first.status();
  std::filesystem::create_hard_link(path, folder_ / "kept");  // as if it had been killed
  first->reset();
  std::filesystem::remove(path);
  std::filesystem::rename(folder_ / "kept", path);
  auto second = Start("unix:" + path);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_TRUE(Ask("unix:" + path, "secret").ok());
}

TEST_F(Serving, UnixSocketPathTakenByAFile_IsLeftAlone) {
  std::string path = folder_ / "file";
  fclose(fopen(path.c_str(), "w"));
  EXPECT_TRUE(absl::IsAlreadyExists(Start("unix:" + path).status()));
  EXPECT_TRUE(std::filesystem::is_regular_file(path));
}

TEST_F(Serving, Reflection_NeedsTheTokenAndListsServices) {
  auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  auto stub = reflection::ServerReflection::NewStub(*MakeChannel((*server)->address(), {}));
  grpc::ClientContext refused;
  EXPECT_EQ(stub->ServerReflectionInfo(&refused)->Finish().error_code(),
            grpc::StatusCode::UNAUTHENTICATED);

  grpc::ClientContext call;
  Authorize(&call, "secret");
  auto stream = stub->ServerReflectionInfo(&call);
  reflection::ServerReflectionRequest question;
  reflection::ServerReflectionResponse answer;
  question.set_list_services("*");
  ASSERT_TRUE(stream->Write(question) && stream->Read(&answer));
  EXPECT_EQ(answer.list_services_response().service(0).name(), "coxswain.v1.Coxswain");
  question.set_file_containing_symbol("coxswain.v1.Coxswain");
  ASSERT_TRUE(stream->Write(question) && stream->Read(&answer));
  EXPECT_EQ(answer.file_descriptor_response().file_descriptor_proto_size(),
            1 + v1::Job::descriptor()->file()->dependency_count());
  question.set_file_containing_symbol("no.such.Thing");
  ASSERT_TRUE(stream->Write(question) && stream->Read(&answer));
  EXPECT_EQ(answer.error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

// grpc.health.v1.HealthCheckResponse{status: SERVING=1, NOT_SERVING=2}, without its generated code.
char HealthOf(const std::string& address) {
  grpc::TemplatedGenericStub<v1::GetServerInfoRequest, v1::GetServerInfoRequest> stub(
      *MakeChannel(address, {}));
  grpc::ClientContext call;
  v1::GetServerInfoRequest request, response;
  grpc::CompletionQueue queue;
  auto rpc = stub.PrepareUnaryCall(&call, "/grpc.health.v1.Health/Check", request, &queue);
  rpc->StartCall();
  grpc::Status status;
  rpc->Finish(&response, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  std::string bytes = response.SerializeAsString();
  return status.ok() && bytes.size() == 2 ? bytes[1] : 0;
}

TEST_F(Serving, Health_NeedsNoToken) {
  auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(HealthOf((*server)->address()), 1);
  (*server)->SetServing(false);
  EXPECT_EQ(HealthOf((*server)->address()), 2);
}

TEST(Target, NamesAddressesForGrpc) {
  EXPECT_EQ(*TargetOf("127.0.0.1:7070"), "ipv4:127.0.0.1:7070");
  EXPECT_EQ(*TargetOf("[::1]:7070"), "ipv6:[::1]:7070");
  EXPECT_EQ(*TargetOf("coordinator.example:7070"), "dns:///coordinator.example:7070");
  EXPECT_EQ(*TargetOf("unix:/run/a b"), "unix:/run/a%20b");
}

TEST(ErrorDetails, AMessage_ComesBackFromTheStatus) {
  v1::SubmitJobError in, out;
  in.add_mistakes()->set_text("found x, expected y");
  grpc::Status status =
      WithDetail(grpc::StatusCode::INVALID_ARGUMENT, "the job file has 1 mistake", in);
  ASSERT_TRUE(FindDetail(status, &out));
  EXPECT_EQ(out.mistakes(0).text(), "found x, expected y");
  v1::Job other;
  EXPECT_FALSE(FindDetail(status, &other));
  EXPECT_FALSE(FindDetail(grpc::Status(grpc::StatusCode::INTERNAL, "x", "\xff\xff"), &out));
}

}  // namespace
}  // namespace coxswain::rpc
