// What becomes of a submission before the core sees it.
#include "coordinator/runtime/submission.h"

#include <gmock/gmock.h>

#include "tests/unit/coordinator/runtime/fake_reader.h"

namespace coxswain::coordinator::runtime {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kJob[] = R"(apiVersion: coxswain/v1
kind: TrainingJob
metadata: {name: digits}
spec:
  workers: 2
  model: {recipe: mlp}
  data:
    format: idx
    train: {images: file:///data/train-images.gz, labels: file:///data/train-labels.gz}
  train: {epochs: 1}
)";

class SubmissionTest : public testing::Test {
 protected:
  static SubmitRequest Request(std::vector<std::string> overrides = {}) {
    SubmitRequest request;
    request.spec_yaml = kJob;
    request.spec_name = "job.yaml";
    request.overrides = std::move(overrides);
    return request;
  }
  Submission Accept(const SubmitRequest& request, const std::string& store = "s3://default/place") {
    auto checked = CheckSubmission(request, {store, nullptr, nullptr}, reader_);
    if (auto* refusal = std::get_if<Refusal>(&checked)) {
      ADD_FAILURE() << refusal->status;
      return {};
    }
    return std::get<Submission>(std::move(checked));
  }
  absl::Status Refuse(const SubmitRequest& request) {
    auto checked = CheckSubmission(request, site_, reader_);
    auto* refusal = std::get_if<Refusal>(&checked);
    return refusal == nullptr ? absl::OkStatus() : refusal->status;
  }
  void AddCheckpoint(uint64_t id, core::CheckpointState state, bool collect = false) {
    core::CheckpointRow row;
    row.id = core::CheckpointId(id);
    row.job = core::JobId(1);
    row.state = state;
    row.collect = collect;
    row.uri = "s3://ckpt/step-" + std::to_string(id);
    row.manifest_hash = "hash" + std::to_string(id);
    reader_.checkpoints.insert(reader_.checkpoints.begin(), row);  // newest first
  }
  void AddJob(uint64_t id, const std::string& name) {
    core::JobRow row;
    row.id = core::JobId(id);
    row.request.name = name;
    reader_.jobs[row.id] = row;
  }
  static std::vector<uint64_t> Ids(const core::JobSubmitted& event) {
    std::vector<uint64_t> ids;
    for (const auto& candidate : event.request.resume_from) ids.push_back(candidate.id.value);
    return ids;
  }

  FakeReader reader_;
  config::JobSite site_{"s3://default/place", nullptr, nullptr};
};

TEST_F(SubmissionTest, NoStoreGiven_TheDefaultIsWrittenIntoTheJobsText) {
  Submission submission = Accept(Request());
  auto parsed = config::ParseJob(submission.event.spec_yaml, "job.yaml", {});
  ASSERT_TRUE(std::holds_alternative<config::ParsedJob>(parsed)) << submission.event.spec_yaml;
  EXPECT_EQ(std::get<config::ParsedJob>(parsed).spec.checkpoint.store, "s3://default/place");
  EXPECT_EQ(submission.event.request.store, "s3://default/place");
  EXPECT_FALSE(submission.event.request.local_store);
}

TEST_F(SubmissionTest, StoreGivenInTheFileOrByAnOverride_IsKept) {
  Submission submission = Accept(Request({"spec.checkpoint.store=file:///own"}));
  EXPECT_THAT(submission.event.spec_yaml,
              AllOf(HasSubstr("file:///own"), testing::Not(HasSubstr("s3://default"))));
  EXPECT_EQ(submission.event.request.store, "file:///own");
  EXPECT_TRUE(submission.event.request.local_store);
}

TEST_F(SubmissionTest, NeitherJobNorCoordinatorNamesAStore_IsLeftToTheCore) {
  Submission submission = Accept(Request(), "");
  EXPECT_EQ(submission.event.request.store, "");
  EXPECT_EQ(submission.event.spec_yaml.find("checkpoint"), std::string::npos);
}

TEST_F(SubmissionTest, SamplesAtATime_AreARanksWhereTheModelLeavesThatOpen) {
  const auto at_once = [&](std::vector<std::string> overrides) {
    overrides.push_back("spec.train.global_batch_size=33");
    return Accept(Request(std::move(overrides))).event.request.at_once;
  };
  EXPECT_EQ(at_once({}), 17);
  EXPECT_EQ(at_once({"spec.train.micro_batch_size=4"}), 4);
  EXPECT_EQ(at_once({"spec.model.recipe=resnet"}), 0);
}

TEST_F(SubmissionTest, DefaultStore_IsPartOfTheDigest) {
  std::string one = Accept(Request(), "s3://first/place").event.request_digest;
  EXPECT_EQ(Accept(Request(), "s3://first/place").event.request_digest, one);
  EXPECT_NE(Accept(Request(), "s3://second/place").event.request_digest, one);
}

TEST_F(SubmissionTest, ResumeFromAJob_TakesWhatCanBeRestoredNewestFirst) {
  AddJob(1, "digits");
  AddCheckpoint(1, core::CheckpointState::kVerified);
  AddCheckpoint(2, core::CheckpointState::kCommitted, true);  // is being deleted
  AddCheckpoint(3, core::CheckpointState::kCommitted);
  AddCheckpoint(4, core::CheckpointState::kCorrupt);
  AddCheckpoint(5, core::CheckpointState::kVerified);
  AddCheckpoint(6, core::CheckpointState::kAborted);
  AddCheckpoint(7, core::CheckpointState::kOpen);
  SubmitRequest request = Request();
  for (const char* from : {"j1", "digits"}) {
    request.resume_from = from;
    core::JobSubmitted event = Accept(request).event;
    EXPECT_THAT(Ids(event), ElementsAre(5, 3, 1)) << from;
    EXPECT_EQ(event.resume_uri, "s3://ckpt/step-5");
    EXPECT_EQ(event.request.resume_from[1].uri, "s3://ckpt/step-3");
    EXPECT_EQ(event.request.resume_from[1].manifest_hash, "hash3");
  }
}

TEST_F(SubmissionTest, ResumeFromAJobWithMany_TakesTheNewestEight) {
  AddJob(1, "digits");
  for (uint64_t id = 1; id <= 20; ++id) AddCheckpoint(id, core::CheckpointState::kVerified);
  SubmitRequest request = Request();
  request.resume_from = "j1";
  EXPECT_THAT(Ids(Accept(request).event), ElementsAre(20, 19, 18, 17, 16, 15, 14, 13));
}

TEST_F(SubmissionTest, ResumeFromOneCheckpointThatIsNoUse_IsRefused) {
  AddJob(1, "digits");
  AddCheckpoint(4, core::CheckpointState::kCorrupt);
  AddCheckpoint(5, core::CheckpointState::kVerified, true);
  SubmitRequest request = Request();
  request.resume_from = "c4";
  EXPECT_THAT(Refuse(request).message(), HasSubstr("checkpoint c4 is CORRUPT"));
  request.resume_from = "c5";
  EXPECT_THAT(Refuse(request).message(), HasSubstr("checkpoint c5 is DELETING"));
  request.resume_from = "c9";
  EXPECT_EQ(Refuse(request),
            absl::NotFoundError("there is no checkpoint c9 (`cox checkpoints JOB` lists a job's)"));
}

TEST_F(SubmissionTest, ResumeFromOneCheckpoint_TakesNoOther) {
  AddJob(1, "digits");
  AddCheckpoint(1, core::CheckpointState::kVerified);
  AddCheckpoint(2, core::CheckpointState::kVerified);
  SubmitRequest request = Request();
  request.resume_from = "c1";
  core::JobSubmitted event = Accept(request).event;
  EXPECT_EQ(event.resume_uri, "s3://ckpt/step-1");
  EXPECT_THAT(Ids(event), ElementsAre(1)) << "its hash is known, and is to be checked";
  request.resume_from = "s3://elsewhere/step-9";
  EXPECT_EQ(Accept(request).event.resume_uri, "s3://elsewhere/step-9");
}

TEST_F(SubmissionTest, ResumeFromAFileStore_NamesTheMachineThatHasIt) {
  AddJob(1, "digits");
  AddCheckpoint(1, core::CheckpointState::kVerified);
  AddCheckpoint(2, core::CheckpointState::kVerified);
  SubmitRequest request = Request();
  request.resume_from = "j1";
  EXPECT_TRUE(Accept(request).event.request.resume_node.empty()) << "s3:// is everywhere";
  for (core::CheckpointRow& row : reader_.checkpoints) {
    row.uri = "file:///ckpt/step-" + std::to_string(row.id.value);
    row.node = core::NodeId("n-" + std::to_string(row.id.value));
  }
  EXPECT_EQ(Accept(request).event.request.resume_node.value, "n-2");
  request.resume_from = "c1";
  EXPECT_EQ(Accept(request).event.request.resume_node.value, "n-1");
}

// The first call was answered, the answer was lost, and retention has been there since.
TEST_F(SubmissionTest, RepeatAfterItsCheckpointIsGone_IsAnsweredAllTheSame) {
  AddJob(1, "digits");
  AddCheckpoint(1, core::CheckpointState::kVerified);
  SubmitRequest request = Request();
  request.resume_from = "j1";
  request.idempotency_key = "k";
  core::JobSubmitted first = Accept(request).event;
  AddJob(2, "more");
  core::JobRow& made = reader_.jobs.at(core::JobId(2));
  made.idempotency_key = "k";
  made.request_digest = first.request_digest;
  reader_.checkpoints.clear();
  EXPECT_FALSE(Accept(request).answered_by) << "it is live: the core answers";
  made.state = core::JobState::kCompleted;
  EXPECT_EQ(Accept(request).answered_by, core::JobId(2));
  request.idempotency_key = "another";
  EXPECT_EQ(Refuse(request), absl::NotFoundError("job j1 has no checkpoint to resume from"));
}

TEST_F(SubmissionTest, ResumeFromWhatIsNotThere_IsNotFound) {
  AddJob(1, "digits");
  AddCheckpoint(1, core::CheckpointState::kCorrupt);
  SubmitRequest request = Request();
  request.resume_from = "digits";
  EXPECT_EQ(Refuse(request), absl::NotFoundError("job j1 has no checkpoint to resume from"));
  request.resume_from = "j9";
  EXPECT_EQ(Refuse(request), absl::NotFoundError("no job j9: `cox jobs` lists them"));
}

TEST_F(SubmissionTest, ResumeFromAPlaceSpeltWrong_IsInvalid) {
  SubmitRequest request = Request();
  for (const auto& [from, why] : std::vector<std::pair<std::string, std::string>>{
           {"ftp://host/c1", "found the scheme \"ftp\", expected a path, file:// or s3://"},
           {"file://c1", "expected an absolute path: file:///c1"},
           {"s3://b", "found the bucket \"b\""},
           {"s3://key:secret@bucket/c1", "holds '@'"},
           {"s3:/bucket/c1",
            "found \"s3:/bucket/c1\", expected a job (id or name), a checkpoint's"},
           {"store/c1", "found \"store/c1\", expected a job"}}) {
    request.resume_from = from;
    absl::Status status = Refuse(request);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << from << ": " << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("resume_from: "), HasSubstr(why)));
  }
}

TEST_F(SubmissionTest, UncommittedWithoutAUri_IsInvalid) {
  SubmitRequest request = Request();
  request.allow_uncommitted = true;
  request.resume_from = "j1";
  EXPECT_EQ(Refuse(request),
            absl::InvalidArgumentError("allow_uncommitted needs a checkpoint URI in resume_from"));
}

TEST_F(SubmissionTest, TooLarge_SaysFoundAndTaken) {
  SubmitRequest request = Request();
  request.idempotency_key = std::string(129, 'k');
  EXPECT_EQ(Refuse(request),
            absl::InvalidArgumentError("the idempotency key has 129 bytes, at most 128 are taken"));
  request.spec_yaml = std::string((1 << 20) + 1, '#');
  EXPECT_EQ(Refuse(request), absl::InvalidArgumentError(
                                 "the job file has 1048577 bytes, at most 1048576 are taken"));
}

}  // namespace
}  // namespace coxswain::coordinator::runtime
