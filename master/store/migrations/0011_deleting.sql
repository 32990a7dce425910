-- Whoever reports a checkpoint first owns its folder. A report that comes again leaves it so.
ALTER TABLE checkpoints ADD COLUMN owned_since timestamptz NOT NULL DEFAULT clock_timestamp();
UPDATE checkpoints SET owned_since = reported_at;

CREATE INDEX transitions_by_experiment ON transitions (experiment_id);
