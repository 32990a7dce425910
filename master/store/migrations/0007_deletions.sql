-- Files of checkpoints that go, or went, and why they could not. The master's worker carries them
-- out, one after the other, again after a restart.
CREATE TABLE deletions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  experiment_id bigint NOT NULL,
  trial_id bigint NOT NULL,
  uuid text NOT NULL,
  globs jsonb NOT NULL,                  -- patterns of the files that go; []: the whole checkpoint
  state text NOT NULL DEFAULT 'PENDING', -- PENDING, RUNNING, DONE, FAILED
  reason text NOT NULL DEFAULT '',       -- of FAILED, or of the last try that was in vain
  attempts bigint NOT NULL DEFAULT 0,
  actor text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  due_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
);
CREATE INDEX deletions_due ON deletions (due_at, id) WHERE state IN ('PENDING', 'RUNNING');
CREATE INDEX deletions_by_checkpoint ON deletions (trial_id, uuid, id);
CREATE INDEX deletions_by_experiment ON deletions (experiment_id, id);
CREATE UNIQUE INDEX deletions_open ON deletions (trial_id, uuid, globs)
  WHERE state IN ('PENDING', 'RUNNING');

-- How many checkpoints an experiment keeps, where that was changed since its submission.
CREATE TABLE retention (
  experiment_id bigint PRIMARY KEY,
  save_experiment_best bigint NOT NULL,
  save_trial_best bigint NOT NULL,
  save_trial_latest bigint NOT NULL,
  actor text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT now()
);

-- When the checkpoints that its policy does not keep were last marked to go. Those that had ended
-- before there was such a thing keep theirs.
ALTER TABLE experiments ADD COLUMN collected_at timestamptz;
UPDATE experiments SET collected_at = greatest(now(), ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX experiments_to_collect ON experiments (id)
  WHERE ended_at IS NOT NULL AND (collected_at IS NULL OR collected_at < ended_at);
CREATE INDEX experiments_live ON experiments (id) WHERE ended_at IS NULL;
