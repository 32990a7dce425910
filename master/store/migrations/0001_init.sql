-- The cluster's store. Migrations only go forward; each runs in one transaction.

CREATE TABLE cluster (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO cluster DEFAULT VALUES;

-- Who may write. Every write transaction calls det_fence with its epoch.
CREATE TABLE lease (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  epoch bigint NOT NULL DEFAULT 0,
  holder text NOT NULL DEFAULT '',       -- boot id / process id / start time
  expires_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO lease DEFAULT VALUES;

-- FOR KEY SHARE lets the holder renew beside its commits, and makes a takeover, which locks the row
-- FOR UPDATE, wait for every transaction of the older epoch.
CREATE FUNCTION det_fence(mine bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM lease WHERE epoch = mine FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the lease of epoch % was taken by another master', mine USING ERRCODE = 'DT001';
  END IF;
  RETURN true;
END $$;

-- What happened: det.journal.v1.Record.
CREATE TABLE journal (
  seq bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  epoch bigint NOT NULL,
  record bytea NOT NULL,
  state_hash bigint,                     -- with the last event of a commit
  hash_format integer
);
CREATE TABLE snapshots (
  key text PRIMARY KEY,
  seq bigint NOT NULL,
  bytes bytea NOT NULL
);
CREATE TABLE snapshot_floor (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  floor bigint NOT NULL DEFAULT 1
);
INSERT INTO snapshot_floor DEFAULT VALUES;

-- Projections of the journal: for queries, by the master and by people.
CREATE TABLE experiments (
  id bigint PRIMARY KEY,
  name text NOT NULL,
  owner text NOT NULL,
  state text NOT NULL,
  reason_code text NOT NULL,
  reason_text text NOT NULL,
  reason_actor text NOT NULL,
  reason_since timestamptz,
  context text NOT NULL,
  searcher text NOT NULL,
  metric text NOT NULL,
  smaller_is_better boolean NOT NULL,
  pool text NOT NULL,
  priority bigint NOT NULL,
  progress double precision NOT NULL,
  trials_created bigint NOT NULL,
  trials_closed bigint NOT NULL,
  best_trial bigint,
  best_metric double precision,
  best_steps bigint,
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX experiments_by_owner ON experiments (owner, id);
CREATE TABLE submissions (
  experiment_id bigint PRIMARY KEY,
  config jsonb NOT NULL,
  config_text text NOT NULL
);
CREATE TABLE trials (
  id bigint PRIMARY KEY,
  experiment_id bigint NOT NULL,
  bracket bigint NOT NULL,
  index_in_bracket bigint NOT NULL,
  hparams jsonb NOT NULL,
  seed bigint NOT NULL,
  state text NOT NULL,
  reason_code text NOT NULL,
  reason_text text NOT NULL,
  reason_actor text NOT NULL,
  reason_since timestamptz,
  restarts bigint NOT NULL,
  infrastructure_restarts bigint NOT NULL,
  runs bigint NOT NULL,
  best_metric double precision,
  latest_metric double precision,
  latest_steps bigint NOT NULL,
  latest_checkpoint text,
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX trials_by_experiment ON trials (experiment_id, id);
CREATE TABLE allocations (
  id bigint PRIMARY KEY,
  task_id bigint NOT NULL,
  trial_id bigint NOT NULL,
  run bigint NOT NULL,
  agent text NOT NULL,
  slots jsonb NOT NULL,
  state text NOT NULL,
  level text NOT NULL,
  level_text text NOT NULL,
  exit_kind text,
  exit_code bigint,
  exit_text text,
  placed_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX allocations_by_trial ON allocations (trial_id, id);
CREATE TABLE checkpoints (
  uuid text PRIMARY KEY,
  trial_id bigint NOT NULL,
  experiment_id bigint NOT NULL,
  allocation_id bigint NOT NULL,
  steps_completed bigint NOT NULL,
  bytes bigint NOT NULL,
  files jsonb NOT NULL,
  metadata jsonb NOT NULL,
  directory text NOT NULL,
  state text NOT NULL,
  reported_at timestamptz NOT NULL
);
CREATE INDEX checkpoints_by_trial ON checkpoints (trial_id, steps_completed);
CREATE INDEX checkpoints_by_experiment ON checkpoints (experiment_id);
CREATE TABLE agents (
  id text PRIMARY KEY,
  pool text NOT NULL,
  version text NOT NULL,
  address text NOT NULL,
  slots jsonb NOT NULL,
  connected boolean NOT NULL,
  lost boolean NOT NULL,
  since timestamptz
);
CREATE TABLE transitions (
  seq bigint PRIMARY KEY,
  at timestamptz NOT NULL,
  kind text NOT NULL,
  subject_id text NOT NULL,
  experiment_id bigint,
  to_state text NOT NULL,
  code text NOT NULL,
  text text NOT NULL,
  actor text NOT NULL
);
CREATE INDEX transitions_by_subject ON transitions (kind, subject_id, seq);

-- Model directories, content-addressed.
CREATE TABLE contexts (
  sha256 text PRIMARY KEY,
  bytes bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE context_chunks (
  sha256 text NOT NULL,
  number bigint NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (sha256, number)
);
ALTER TABLE context_chunks ALTER COLUMN data SET STORAGE EXTERNAL;

-- The data plane. One row a stream holds the highest sequence number that is stored: locked, compared
-- and advanced in the transaction that stores the rows, so each row is stored once.
CREATE TABLE streams (
  allocation_id bigint NOT NULL,
  rank integer NOT NULL,
  stream integer NOT NULL,
  high_seq bigint NOT NULL,
  PRIMARY KEY (allocation_id, rank, stream)
);
CREATE TABLE metrics (
  trial_id bigint NOT NULL,
  allocation_id bigint NOT NULL,
  stream integer NOT NULL,
  seq bigint NOT NULL,
  grp text NOT NULL,
  name text NOT NULL,
  steps bigint NOT NULL,
  value double precision,
  other jsonb,                           -- what is no number
  at timestamptz NOT NULL,
  received_at timestamptz NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX metrics_by_trial ON metrics (trial_id, grp, seq);
CREATE TABLE task_logs (
  trial_id bigint NOT NULL,
  allocation_id bigint NOT NULL,
  rank integer NOT NULL,
  seq bigint NOT NULL,
  source integer NOT NULL,               -- 1 stdout, 2 stderr, 3 agent
  partial boolean NOT NULL,
  dropped bigint NOT NULL,
  line bytea NOT NULL,
  at timestamptz NOT NULL,
  received_at timestamptz NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX task_logs_by_trial ON task_logs (trial_id, allocation_id, rank, seq);
-- What a running trial says of itself, latest only.
CREATE TABLE trial_live (
  trial_id bigint PRIMARY KEY,
  progress double precision NOT NULL DEFAULT 0,
  training jsonb,
  training_steps bigint NOT NULL DEFAULT 0,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Makes the weekly partitions from last week to four weeks ahead of the given time. Weeks begin on
-- Monday, UTC. Cheap when they are there.
CREATE FUNCTION det_ensure_partitions(around timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  week timestamp;
  part text;
  parent text;
BEGIN
  FOR i IN -1..4 LOOP
    week := date_trunc('week', around AT TIME ZONE 'UTC') + i * interval '7 days';
    FOREACH parent IN ARRAY ARRAY['metrics', 'task_logs'] LOOP
      part := parent || '_' || to_char(week, 'YYYYMMDD');
      IF to_regclass(part) IS NULL THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', part, parent,
                       week AT TIME ZONE 'UTC', (week + interval '7 days') AT TIME ZONE 'UTC');
      END IF;
    END LOOP;
  END LOOP;
END $$;
