-- A program names its checkpoints: two trials may choose one name, and neither takes the other's.
ALTER TABLE checkpoints DROP CONSTRAINT checkpoints_pkey;
ALTER TABLE checkpoints ADD PRIMARY KEY (trial_id, uuid);
CREATE INDEX checkpoints_by_uuid ON checkpoints (uuid, trial_id);
