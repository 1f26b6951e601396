#include "common/rpc/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <set>

#include "common/rpc/token.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace coxswain::rpc {
namespace {

namespace reflection = ::grpc::reflection::v1alpha;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;

void NotFound(const std::string& what, reflection::ServerReflectionResponse* out) {
  out->mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
  out->mutable_error_response()->set_error_message("not found: " + what);
}

// `file` and all it imports, each once.
void AddWithImports(const FileDescriptor* file, std::set<std::string>* added,
                    reflection::FileDescriptorResponse* out) {
  if (!added->insert(file->name()).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) {
    AddWithImports(file->dependency(i), added, out);
  }
}

void AnswerFile(const FileDescriptor* file, const std::string& what,
                reflection::ServerReflectionResponse* out) {
  if (file == nullptr) return NotFound(what, out);
  std::set<std::string> added;
  AddWithImports(file, &added, out->mutable_file_descriptor_response());
}

void Answer(const reflection::ServerReflectionRequest& in, const std::vector<std::string>& services,
            reflection::ServerReflectionResponse* out) {
  const DescriptorPool* pool = DescriptorPool::generated_pool();
  out->Clear();
  out->set_valid_host(in.host());
  *out->mutable_original_request() = in;
  switch (in.message_request_case()) {
    case reflection::ServerReflectionRequest::kFileByFilename:
      return AnswerFile(pool->FindFileByName(in.file_by_filename()), in.file_by_filename(), out);
    case reflection::ServerReflectionRequest::kFileContainingSymbol:
      return AnswerFile(pool->FindFileContainingSymbol(in.file_containing_symbol()),
                        in.file_containing_symbol(), out);
    case reflection::ServerReflectionRequest::kAllExtensionNumbersOfType: {
      const std::string& name = in.all_extension_numbers_of_type();
      if (pool->FindMessageTypeByName(name) == nullptr) return NotFound(name, out);
      out->mutable_all_extension_numbers_response()->set_base_type_name(name);  // proto3 has none
      return;
    }
    case reflection::ServerReflectionRequest::kFileContainingExtension:
      return NotFound("extensions of " + in.file_containing_extension().containing_type(), out);
    case reflection::ServerReflectionRequest::kListServices:
      for (const std::string& name : services) {
        out->mutable_list_services_response()->add_service()->set_name(name);
      }
      return;
    case reflection::ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      out->mutable_error_response()->set_error_code(grpc::StatusCode::INVALID_ARGUMENT);
      out->mutable_error_response()->set_error_message("message_request is empty");
  }
}

using Reactor = grpc::ServerBidiReactor<reflection::ServerReflectionRequest,
                                        reflection::ServerReflectionResponse>;

// One question, one answer, in turn: at most one operation is under way.
class Conversation final : public Reactor {
 public:
  explicit Conversation(const std::vector<std::string>& services) : services_(services) {
    StartRead(&request_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    Answer(request_, services_, &response_);
    StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::CANCELLED);
    StartRead(&request_);
  }
  void OnDone() override { delete this; }

 private:
  const std::vector<std::string>& services_;
  reflection::ServerReflectionRequest request_;
  reflection::ServerReflectionResponse response_;
};

class Refusal final : public Reactor {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

class Service final : public reflection::ServerReflection::CallbackService {
 public:
  Service(std::string token, std::vector<std::string> services)
      : token_(std::move(token)), services_(std::move(services)) {}

  Reactor* ServerReflectionInfo(grpc::CallbackServerContext* call) override {
    if (grpc::Status status = CheckToken(*call, token_); !status.ok()) return new Refusal(status);
    return new Conversation(services_);
  }

 private:
  const std::string token_;
  const std::vector<std::string> services_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeReflectionService(std::string token,
                                                     std::vector<std::string> services) {
  services.push_back(reflection::ServerReflection::service_full_name());
  services.push_back("grpc.health.v1.Health");
  return std::make_unique<Service>(std::move(token), std::move(services));
}

}  // namespace coxswain::rpc
