-- Lines that the master adds to a trial's log, numbered from 1 after the record that was the last one
-- when they were added. Records of the task itself have note 0.
ALTER TABLE task_logs ADD COLUMN note integer NOT NULL DEFAULT 0;
DROP INDEX task_logs_by_trial;
CREATE INDEX task_logs_by_trial ON task_logs (trial_id, allocation_id, rank, seq, note);
