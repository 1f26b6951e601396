-- A state.db of schema version 1, as that version wrote it: jobs that wait, run and have ended, with all that belongs
-- to them. Frozen: every later version must open it. Read by the store's unit tests and tests/integration/test_upgrade.py.
PRAGMA application_id = 1131378803;
PRAGMA user_version = 1;

CREATE TABLE cluster(
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL, term INTEGER NOT NULL, last_job INTEGER NOT NULL,
  last_checkpoint INTEGER NOT NULL, last_task INTEGER NOT NULL, last_event INTEGER NOT NULL);

CREATE TABLE jobs(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL, state INTEGER NOT NULL, idempotency_key TEXT NOT NULL,
  request_digest TEXT NOT NULL, submitted_by TEXT NOT NULL, reason TEXT NOT NULL,
  cause INTEGER NOT NULL, check_state INTEGER NOT NULL, submitted_us INTEGER NOT NULL,
  started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, attempt INTEGER NOT NULL,
  failures INTEGER NOT NULL, generation INTEGER NOT NULL, ran_us INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL, cancel_reason TEXT NOT NULL, resume_uri TEXT NOT NULL,
  allow_uncommitted INTEGER NOT NULL, model_uri TEXT NOT NULL, request TEXT NOT NULL,
  exit TEXT NOT NULL);
CREATE INDEX jobs_by_state ON jobs(state, id);
CREATE INDEX jobs_live ON jobs(id) WHERE state <= 3;
CREATE INDEX jobs_by_end ON jobs(ended_us) WHERE state > 3;
CREATE INDEX jobs_by_name ON jobs(name, id);
CREATE INDEX jobs_by_key ON jobs(idempotency_key, id) WHERE idempotency_key <> '';
CREATE TABLE job_specs(job INTEGER PRIMARY KEY, spec_yaml TEXT NOT NULL);
CREATE TABLE job_labels(key TEXT NOT NULL, value TEXT NOT NULL, job INTEGER NOT NULL,
  PRIMARY KEY (key, value, job)) WITHOUT ROWID;
CREATE INDEX job_labels_by_job ON job_labels(job);

CREATE TABLE attempts(
  job INTEGER NOT NULL, number INTEGER NOT NULL, started_us INTEGER NOT NULL,
  ended_us INTEGER NOT NULL, cause INTEGER NOT NULL, reason TEXT NOT NULL,
  resumed_uri TEXT NOT NULL, resumed_checkpoint INTEGER NOT NULL,
  resumed_position INTEGER NOT NULL, last_step INTEGER NOT NULL, user_error INTEGER NOT NULL,
  exit TEXT NOT NULL,
  PRIMARY KEY (job, number)) WITHOUT ROWID;

CREATE TABLE ranks(
  job INTEGER NOT NULL, attempt INTEGER NOT NULL, rank INTEGER NOT NULL, node TEXT NOT NULL,
  incarnation INTEGER NOT NULL, local_rank INTEGER NOT NULL, cpus INTEGER NOT NULL,
  state INTEGER NOT NULL, stop_requested INTEGER NOT NULL, finished INTEGER NOT NULL,
  pid INTEGER NOT NULL, gpus TEXT NOT NULL, exit TEXT NOT NULL,
  PRIMARY KEY (job, attempt, rank)) WITHOUT ROWID;

CREATE TABLE generations(
  job INTEGER NOT NULL, generation INTEGER NOT NULL, attempt INTEGER NOT NULL,
  made_us INTEGER NOT NULL, formed_us INTEGER NOT NULL, closed INTEGER NOT NULL,
  members TEXT NOT NULL,
  PRIMARY KEY (job, generation)) WITHOUT ROWID;

CREATE TABLE checkpoints(
  id INTEGER PRIMARY KEY, job INTEGER NOT NULL, generation INTEGER NOT NULL,
  state INTEGER NOT NULL, step INTEGER NOT NULL, position INTEGER NOT NULL, uri TEXT NOT NULL,
  manifest_hash TEXT NOT NULL, bytes INTEGER NOT NULL, shards INTEGER NOT NULL,
  final INTEGER NOT NULL, collect INTEGER NOT NULL, node TEXT NOT NULL,
  opened_us INTEGER NOT NULL, committed_us INTEGER NOT NULL, verified_us INTEGER NOT NULL,
  reason TEXT NOT NULL);
CREATE INDEX checkpoints_by_job ON checkpoints(job, id);
CREATE INDEX checkpoints_to_collect ON checkpoints(id, job) WHERE collect <> 0 AND state <> 6;

CREATE TABLE nodes(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, draining INTEGER NOT NULL, drain_reason TEXT NOT NULL,
  first_seen_us INTEGER NOT NULL, inventory TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE events(
  seq INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, job INTEGER NOT NULL, node TEXT NOT NULL,
  kind TEXT NOT NULL, severity TEXT NOT NULL, attempt INTEGER NOT NULL,
  generation INTEGER NOT NULL, text TEXT NOT NULL);
CREATE INDEX events_by_job ON events(job, seq);

INSERT INTO cluster(one, id, term, last_job, last_checkpoint, last_task, last_event)
  VALUES (1, 'cluster-of-version-1', 7, 4, 4, 12, 6);
INSERT INTO jobs(id, name, state, idempotency_key, request_digest, submitted_by, reason, cause, check_state,
    submitted_us, started_us, ended_us, attempt, failures, generation, ran_us, cancel_requested,
    cancel_reason, resume_uri, allow_uncommitted, model_uri, request, exit)
  VALUES (1, 'digits', 4, 'key-1', 'digest-1', 'ada', 'all 96 steps are done', 0, 2, 1763000001000000,
    1763000010000000, 1763000060000000, 1, 0, 1, 50000000, 0, '', '', 0, 'file:///nowhere/model',
    '{"cpus":1,"gpus":0,"grace_us":30000000,"keep_checkpoints":3,"labels":{"team":"vision"},"local_store":true,"max_attempts":3,"memory_bytes":0,"store":"file:///nowhere","time_limit_us":0,"workers":2}',
    '');
INSERT INTO job_specs(job, spec_yaml)
  VALUES (1, '{apiVersion: coxswain/v1, kind: TrainingJob, metadata: {name: digits}}');
INSERT INTO job_labels(key, value, job)
  VALUES ('team', 'vision', 1);
INSERT INTO jobs(id, name, state, idempotency_key, request_digest, submitted_by, reason, cause, check_state,
    submitted_us, started_us, ended_us, attempt, failures, generation, ran_us, cancel_requested,
    cancel_reason, resume_uri, allow_uncommitted, model_uri, request, exit)
  VALUES (2, 'typo', 5, 'key-2', 'digest-2', 'ada', 'rank 1 on node-a exited with code 3: no such column', 1,
    2, 1763000002000000, 1763000020000000, 1763000030000000, 1, 1, 1, 10000000, 0, '', '', 0, '',
    '{"cpus":1,"gpus":0,"grace_us":30000000,"keep_checkpoints":3,"labels":{},"local_store":true,"max_attempts":3,"memory_bytes":0,"store":"file:///nowhere","time_limit_us":0,"workers":2}',
    '{"node":"n-1","rank":1,"record":{"code":3,"ended_us":1763000030000000,"last_log":"no such column\n","note":"","oom_killed":false,"peak_rss_bytes":3,"signal":0,"started_us":1763000020000000,"stopped_by_us":false,"system_us":2,"user_us":1}}');
INSERT INTO job_specs(job, spec_yaml)
  VALUES (2, '{apiVersion: coxswain/v1, kind: TrainingJob, metadata: {name: typo}}');
INSERT INTO jobs(id, name, state, idempotency_key, request_digest, submitted_by, reason, cause, check_state,
    submitted_us, started_us, ended_us, attempt, failures, generation, ran_us, cancel_requested,
    cancel_reason, resume_uri, allow_uncommitted, model_uri, request, exit)
  VALUES (3, 'waits', 1, 'key-3', 'digest-3', 'ada', 'needs 64 CPU slots', 0, 0, 1763000003000000, 0, 0, 0, 0,
    0, 0, 0, '', '', 0, '',
    '{"cpus":64,"gpus":0,"grace_us":30000000,"keep_checkpoints":3,"labels":{},"local_store":true,"max_attempts":3,"memory_bytes":0,"store":"file:///nowhere","time_limit_us":0,"workers":1}',
    '');
INSERT INTO job_specs(job, spec_yaml)
  VALUES (3, '{apiVersion: coxswain/v1, kind: TrainingJob, metadata: {name: waits}}');
INSERT INTO jobs(id, name, state, idempotency_key, request_digest, submitted_by, reason, cause, check_state,
    submitted_us, started_us, ended_us, attempt, failures, generation, ran_us, cancel_requested,
    cancel_reason, resume_uri, allow_uncommitted, model_uri, request, exit)
  VALUES (4, 'runs', 2, 'key-4', 'digest-4', 'ada', 'running on 1 rank, from the start', 0, 2,
    1763000004000000, 1763000070000000, 0, 1, 0, 1, 0, 0, '', '', 0, '',
    '{"cpus":1,"gpus":0,"grace_us":30000000,"keep_checkpoints":3,"labels":{},"local_store":true,"max_attempts":3,"memory_bytes":0,"store":"file:///nowhere","time_limit_us":0,"workers":1}',
    '');
INSERT INTO job_specs(job, spec_yaml)
  VALUES (4, '{apiVersion: coxswain/v1, kind: TrainingJob, metadata: {name: runs}}');
INSERT INTO attempts(job, number, started_us, ended_us, cause, reason, resumed_uri, resumed_checkpoint,
    resumed_position, last_step, user_error, exit)
  VALUES (1, 1, 1763000010000000, 1763000060000000, 0, '', '', 0, 0, 96, 0, '');
INSERT INTO attempts(job, number, started_us, ended_us, cause, reason, resumed_uri, resumed_checkpoint,
    resumed_position, last_step, user_error, exit)
  VALUES (2, 1, 1763000010000000, 1763000030000000, 1, 'rank 1 on node-a exited with code 3: no such column',
    '', 0, 0, 7, 0,
    '{"node":"n-1","rank":1,"record":{"code":3,"ended_us":1763000030000000,"last_log":"no such column\n","note":"","oom_killed":false,"peak_rss_bytes":3,"signal":0,"started_us":1763000020000000,"stopped_by_us":false,"system_us":2,"user_us":1}}');
INSERT INTO attempts(job, number, started_us, ended_us, cause, reason, resumed_uri, resumed_checkpoint,
    resumed_position, last_step, user_error, exit)
  VALUES (4, 1, 1763000070000000, 0, 0, '', '', 0, 0, 0, 0, '');
INSERT INTO ranks(job, attempt, rank, node, incarnation, local_rank, cpus, state, stop_requested, finished,
    pid, gpus, exit)
  VALUES (1, 1, 0, 'n-1', 1000, 0, 1, 3, 0, 1, 4711, '[]',
    '{"code":0,"ended_us":1763000030000000,"last_log":"","note":"","oom_killed":false,"peak_rss_bytes":3,"signal":0,"started_us":1763000020000000,"stopped_by_us":false,"system_us":2,"user_us":1}');
INSERT INTO ranks(job, attempt, rank, node, incarnation, local_rank, cpus, state, stop_requested, finished,
    pid, gpus, exit)
  VALUES (1, 1, 1, 'n-1', 1001, 1, 1, 3, 0, 1, 4712, '[]',
    '{"code":0,"ended_us":1763000030000000,"last_log":"","note":"","oom_killed":false,"peak_rss_bytes":3,"signal":0,"started_us":1763000020000000,"stopped_by_us":false,"system_us":2,"user_us":1}');
INSERT INTO ranks(job, attempt, rank, node, incarnation, local_rank, cpus, state, stop_requested, finished,
    pid, gpus, exit)
  VALUES (2, 1, 1, 'n-1', 2001, 1, 1, 3, 0, 0, 4712, '[]',
    '{"code":3,"ended_us":1763000030000000,"last_log":"no such column\n","note":"","oom_killed":false,"peak_rss_bytes":3,"signal":0,"started_us":1763000020000000,"stopped_by_us":false,"system_us":2,"user_us":1}');
INSERT INTO ranks(job, attempt, rank, node, incarnation, local_rank, cpus, state, stop_requested, finished,
    pid, gpus, exit)
  VALUES (4, 1, 0, 'n-1', 4000, 0, 1, 2, 0, 0, 4711, '[]', '');
INSERT INTO generations(job, generation, attempt, made_us, formed_us, closed, members)
  VALUES (1, 1, 1, 1763000011000000, 1763000012000000, 1,
    '[{"address":"127.0.0.1:7000","incarnation":1000,"rank":0},{"address":"127.0.0.1:7001","incarnation":1001,"rank":1}]');
INSERT INTO generations(job, generation, attempt, made_us, formed_us, closed, members)
  VALUES (4, 1, 1, 1763000071000000, 1763000072000000, 0,
    '[{"address":"127.0.0.1:7000","incarnation":4000,"rank":0}]');
INSERT INTO checkpoints(id, job, generation, state, step, position, uri, manifest_hash, bytes, shards, final,
    collect, node, opened_us, committed_us, verified_us, reason)
  VALUES (1, 1, 1, 6, 32, 2048, 'file:///nowhere/j1/step-00000032-g1-00000001', '0123456789abcdef', 1000, 2,
    0, 1, 'n-1', 1763000000000001, 1763000000000011, 0, '');
INSERT INTO checkpoints(id, job, generation, state, step, position, uri, manifest_hash, bytes, shards, final,
    collect, node, opened_us, committed_us, verified_us, reason)
  VALUES (2, 1, 1, 3, 64, 4096, 'file:///nowhere/j1/step-00000064-g1-00000002', '0123456789abcdef', 1000, 2,
    0, 0, 'n-1', 1763000000000002, 1763000000000012, 1763000000000030, '');
INSERT INTO checkpoints(id, job, generation, state, step, position, uri, manifest_hash, bytes, shards, final,
    collect, node, opened_us, committed_us, verified_us, reason)
  VALUES (3, 1, 1, 2, 96, 6144, 'file:///nowhere/j1/step-00000096-g1-00000003', '0123456789abcdef', 1000, 2,
    1, 0, 'n-1', 1763000000000003, 1763000000000013, 0, '');
INSERT INTO checkpoints(id, job, generation, state, step, position, uri, manifest_hash, bytes, shards, final,
    collect, node, opened_us, committed_us, verified_us, reason)
  VALUES (4, 4, 1, 1, 50, 3200, 'file:///nowhere/j4/step-00000050-g1-00000004', '', 0, 0, 0, 0, 'n-1',
    1763000000000004, 0, 0, '');
INSERT INTO nodes(id, name, draining, drain_reason, first_seen_us, inventory)
  VALUES ('n-1', 'node-a', 0, '', 1763000000000000,
    '{"address":"127.0.0.1","boot_id":"b","conditions":[],"cpu_slots":4,"gpu_note":"","gpus":[],"labels":{},"memory_bytes":17179869184,"name":"node-a","version":"0.1.0"}');
INSERT INTO events(seq, time_us, job, node, kind, severity, attempt, generation, text)
  VALUES (1, 1763000000000001, 1, '', 'JobSubmitted', 'info', 0, 0, 'submitted by ada');
INSERT INTO events(seq, time_us, job, node, kind, severity, attempt, generation, text)
  VALUES (2, 1763000000000002, 2, '', 'JobSubmitted', 'info', 0, 0, 'submitted by ada');
INSERT INTO events(seq, time_us, job, node, kind, severity, attempt, generation, text)
  VALUES (3, 1763000000000003, 1, '', 'JobCompleted', 'info', 0, 0, 'COMPLETED: all 96 steps are done');
INSERT INTO events(seq, time_us, job, node, kind, severity, attempt, generation, text)
  VALUES (4, 1763000000000004, 2, '', 'JobFailed', 'error', 0, 0,
    'FAILED: rank 1 on node-a exited with code 3: no such column');
INSERT INTO events(seq, time_us, job, node, kind, severity, attempt, generation, text)
  VALUES (5, 1763000000000005, 3, '', 'JobSubmitted', 'info', 0, 0, 'submitted by ada');
INSERT INTO events(seq, time_us, job, node, kind, severity, attempt, generation, text)
  VALUES (6, 1763000000000006, 4, '', 'JobSubmitted', 'info', 0, 0, 'submitted by ada');
