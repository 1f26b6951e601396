// The calls that change something: checked here, decided by the core, answered after the commit.
#include <absl/strings/str_cat.h>

#include "common/base/clock.h"
#include "common/base/duration_text.h"
#include "common/base/limits.h"
#include "coordinator/runtime/runtime.h"

namespace coxswain::coordinator::runtime {
namespace {

absl::Status StatusOf(const core::Reply& reply) {
  switch (reply.code) {
    case core::ReplyCode::kOk:
      return absl::OkStatus();
    case core::ReplyCode::kAlreadyExists:
      return absl::AlreadyExistsError(reply.text);
    case core::ReplyCode::kNotFound:
      return absl::NotFoundError(reply.text);
    case core::ReplyCode::kFailedPrecondition:
      return absl::FailedPreconditionError(reply.text);
    case core::ReplyCode::kResourceExhausted:
      return absl::ResourceExhaustedError(reply.text);
    case core::ReplyCode::kInvalidArgument:
      return absl::InvalidArgumentError(reply.text);
    case core::ReplyCode::kUnavailable:
      return absl::UnavailableError(reply.text);
  }
  return absl::InternalError(reply.text);
}

// A job that is accepted, or would be, when the store has no row of it to read.
JobView DraftView(const Submission& draft, const core::Reply& reply,
                  const std::string& default_queue) {
  JobView view;
  view.live.expected_start = reply.expected_start;
  core::JobRow& row = view.record.job;
  row.id = reply.job;
  row.request = draft.event.request;
  if (row.request.queue.empty()) row.request.queue = default_queue;
  row.reason = reply.text;
  row.resume_uri = draft.event.resume_uri;
  row.submitted_by = draft.event.submitted_by;
  view.masked_yaml = config::MaskSecretsOfComplete(draft.event.spec_yaml);
  return view;
}

}  // namespace

void Runtime::PostCall(core::CallId call, core::EventBody event) {
  absl::Status status = decide_->Post(std::move(event));
  if (status.ok()) return;
  if (CallTable::Answer answer = calls_.Take(call)) answer(status);
}

void Runtime::AnswerSubmit(const SubmitCallback& done, const core::Reply& reply,
                           const Submission& draft) {
  absl::Status status = StatusOf(reply);
  if (!status.ok()) return done(status, {});
  SubmitResult result;
  result.already_existed = reply.already_existed;
  result.warnings = draft.warnings;
  if (reply.job && !reply.text.empty()) result.warnings.push_back(reply.text);
  absl::StatusOr<JobView> job = absl::NotFoundError("dry run");
  if (reply.job) job = GetJob(reply.job);
  result.job = job.ok() ? *std::move(job)
                        : DraftView(draft, reply, options_.settings.scheduling.default_queue);
  done(std::move(result), {});
}

void Runtime::Submit(SubmitRequest request, SubmitCallback done) {
  std::variant<Submission, Refusal> checked = Refusal{};
  const core::Settings& settings = options_.settings;
  const config::JobSite site{
      settings.default_store,
      [&](const std::string& queue) { return core::WrongQueue(settings.scheduling, queue); },
      WrongCode};
  absl::Status status = readers_.With([&](store::StateReader& reader) {
    checked = CheckSubmission(request, site, reader);
    return absl::OkStatus();
  });
  if (!status.ok()) return done(status, {});
  if (auto* refusal = std::get_if<Refusal>(&checked)) {
    return done(refusal->status, std::move(refusal->mistakes));
  }
  auto submission = std::make_shared<Submission>(std::get<Submission>(std::move(checked)));
  if (submission->answered_by) {
    core::Reply reply;
    reply.job = submission->answered_by;
    reply.already_existed = true;
    return AnswerSubmit(done, reply, *submission);
  }
  const std::string& code = submission->event.request.code;
  if (!code.empty() && !request.dry_run && !code_.PathOf(code).ok()) {
    return done(absl::FailedPreconditionError(absl::StrCat(
                    "spec.code: ", code, " is not here: upload it first (UploadCode)")),
                {});
  }
  core::JobSubmitted event = submission->event;
  event.call = calls_.Add([this, done, submission](absl::StatusOr<core::Reply> reply) {
    reply.ok() ? AnswerSubmit(done, *reply, *submission) : done(reply.status(), {});
  });
  core::CallId call = event.call;
  PostCall(call, std::move(event));
}

absl::StatusOr<uint64_t> Runtime::AddCode(const std::string& id, uint64_t total_bytes,
                                          uint64_t offset, std::string_view data) {
  return code_.Add(id, total_bytes, offset, data);
}

absl::StatusOr<code::CodePart> Runtime::ReadCode(const std::string& id, uint64_t offset,
                                                 size_t most) {
  return code_.Read(id, offset, most);
}

void Runtime::Cancel(core::JobId job, std::string reason, bool save,
                     std::function<void(absl::StatusOr<JobView>)> done) {
  absl::StatusOr<JobView> view = GetJob(job);
  if (!view.ok()) return done(view.status());
  const core::JobRow& row = view->record.job;
  if (core::IsFinal(row.state)) {
    return done(absl::FailedPreconditionError(
        absl::StrCat(base::ToString(job), " has already ended: ", core::ToString(row.state))));
  }
  core::CallId call = calls_.Add([this, done](absl::StatusOr<core::Reply> reply) {
    if (!reply.ok()) return done(reply.status());
    absl::Status status = StatusOf(*reply);
    status.ok() ? done(GetJob(reply->job)) : done(status);
  });
  PostCall(call, core::CancelRequested{call, job, std::move(reason), save});
}

void Runtime::Drain(core::NodeId node, std::string reason, bool undo, core::WallTime by,
                    std::function<void(absl::StatusOr<DrainResult>)> done) {
  absl::StatusOr<NodeView> view = FindNode(node);
  if (!view.ok()) return done(view.status());
  if (by - base::WallNow() > base::kMostDrainTime) {
    return done(absl::InvalidArgumentError(
        absl::StrCat("the deadline is ", base::DurationText(by - base::WallNow()),
                     " from now, expected at most ", base::DurationText(base::kMostDrainTime))));
  }
  core::NodeId id = view->row->id;
  core::CallId call = calls_.Add([this, done, id](absl::StatusOr<core::Reply> reply) {
    if (!reply.ok()) return done(reply.status());
    absl::Status status = StatusOf(*reply);
    if (!status.ok()) return done(status);
    absl::StatusOr<NodeView> drained = FindNode(id);
    if (!drained.ok()) return done(drained.status());
    done(DrainResult{*std::move(drained), reply->warnings});
  });
  PostCall(call, core::DrainRequested{call, id, std::move(reason), undo, by});
}

void Runtime::Forget(core::NodeId node, std::function<void(absl::StatusOr<NodeView>)> done) {
  absl::StatusOr<NodeView> view = FindNode(node);
  if (!view.ok()) return done(view.status());
  core::NodeId id = view->row->id;
  core::CallId call = calls_.Add([done, view](absl::StatusOr<core::Reply> reply) {
    if (!reply.ok()) return done(reply.status());
    absl::Status status = StatusOf(*reply);
    status.ok() ? done(view) : done(status);
  });
  PostCall(call, core::ForgetRequested{call, id});
}

absl::StatusOr<NodeView> Runtime::FindNode(const core::NodeId& id_or_name) {
  absl::StatusOr<std::vector<NodeView>> nodes = ListNodes();
  if (!nodes.ok()) return nodes.status();
  const NodeView* found = nullptr;
  for (const NodeView& node : *nodes) {
    if (node.row->id == id_or_name) return node;
    if (node.row->name != id_or_name.value) continue;
    if (found != nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(
          "several nodes are named '", id_or_name.value, "': use the id (`cox nodes -o wide`)"));
    }
    found = &node;
  }
  if (found != nullptr) return *found;
  return absl::NotFoundError(
      absl::StrCat("no node has the id or name '", id_or_name.value, "': `cox nodes` lists them"));
}

}  // namespace coxswain::coordinator::runtime
