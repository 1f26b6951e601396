#include "trainer/runtime/own_model.h"

#include "trainer/blob/text.h"

namespace coxswain::trainer {

absl::StatusOr<std::shared_ptr<const std::string>> ReadOwnModel(
    const config::Model& model, const blob::StoreSettings& settings) {
  if (!model.IsOwn()) return std::shared_ptr<const std::string>();
  const bool plugin = model.recipe == config::Recipe::kPlugin;
  const std::string& uri = plugin ? model.plugin : model.module;
  const auto failed = [&](const absl::Status& status) {
    const bool local = absl::IsNotFound(status) && !uri.starts_with("s3://");
    return absl::Status(
        status.code(),
        blob::Cat(plugin ? "spec.model.plugin: " : "spec.model.module: ", status.message(),
                  local ? "; the file has to be on every machine that may run the job: copy it "
                          "there, or use s3://..., or a folder that all machines mount"
                        : ""));
  };
  absl::StatusOr<blob::ObjectAt> object = blob::OpenObject(uri, settings);
  if (!object.ok()) return failed(object.status());
  absl::StatusOr<std::string> bytes = object->store->Get(object->name);
  if (!bytes.ok()) return failed(bytes.status());
  return std::make_shared<const std::string>(*std::move(bytes));
}

}  // namespace coxswain::trainer
