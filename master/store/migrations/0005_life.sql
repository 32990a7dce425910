-- An experiment may be forked from another.
ALTER TABLE experiments ADD COLUMN parent_id bigint;
-- The log policy that spoke last of the trial.
ALTER TABLE trials ADD COLUMN log_policy text NOT NULL DEFAULT '';
-- A changed configuration is written without the text that was submitted, which stays.
ALTER TABLE submissions ALTER COLUMN config_text SET DEFAULT '';
