-- An experiment may be forked from another.
ALTER TABLE experiments ADD COLUMN parent_id bigint;
-- The log policy that spoke last of the trial.
ALTER TABLE trials ADD COLUMN log_policy text NOT NULL DEFAULT '';
-- A changed configuration is written without the text that was submitted, which stays.
ALTER TABLE submissions ALTER COLUMN config_text SET DEFAULT '';
-- What is needed to continue what has ended: det.journal.v1.SavedExperiment and SavedTrial.
CREATE TABLE ended (
  key text PRIMARY KEY,                  -- 'experiment/7', 'trial/17'
  experiment_id bigint NOT NULL,
  record bytea NOT NULL
);
CREATE INDEX ended_by_experiment ON ended (experiment_id);
CREATE INDEX experiments_deleting ON experiments (id) WHERE state = 'DELETING';
