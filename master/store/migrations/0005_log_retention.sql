-- Logs are kept for so many days (retention; -1: for ever), and go by dropping partitions: a table a
-- class of retention, in it one a period. What was stored before is kept for ever.
ALTER TABLE task_logs ADD COLUMN level smallint NOT NULL DEFAULT 3;  -- 1 TRACE .. 6 CRITICAL
ALTER TABLE task_logs ADD COLUMN retention smallint NOT NULL DEFAULT -1;
DO $$
DECLARE
  part text;
BEGIN
  FOR part IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'task_logs'::regclass LOOP
    EXECUTE format('ALTER TABLE %I RENAME TO %I', part, replace(part, 'task_logs_', 'task_logs_keep_'));
  END LOOP;
END $$;
ALTER TABLE task_logs RENAME TO task_logs_keep;
ALTER INDEX task_logs_by_trial RENAME TO task_logs_keep_by_trial;
CREATE TABLE task_logs (LIKE task_logs_keep INCLUDING DEFAULTS) PARTITION BY LIST (retention);
CREATE INDEX task_logs_by_trial ON task_logs (trial_id, allocation_id, rank, seq, note);
ALTER TABLE task_logs ATTACH PARTITION task_logs_keep FOR VALUES IN (-1);

-- The periods there are of each class that is not kept for ever.
CREATE TABLE log_partitions (
  name text PRIMARY KEY,
  retention smallint NOT NULL,
  until timestamptz NOT NULL             -- everything in it was received before
);

-- The notes that the master added to a part of a log, beside its records.
ALTER TABLE streams ADD COLUMN notes integer NOT NULL DEFAULT 0;
UPDATE streams s SET notes = n.notes
FROM (SELECT allocation_id, rank, count(*) AS notes FROM task_logs WHERE note > 0 GROUP BY 1, 2) n
WHERE s.allocation_id = n.allocation_id AND s.rank = n.rank AND s.stream = 1;

-- How long the logs of an experiment are kept, where that was changed after its submission.
ALTER TABLE experiments ADD COLUMN IF NOT EXISTS log_retention_days integer;

-- Attaching keeps nobody from reading and writing meanwhile; making a partition in place would.
CREATE FUNCTION det_add_partition(parent text, part text, since timestamptz, until timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass(part) IS NOT NULL THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part, parent);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, part,
                 since, until);
END $$;

-- The partitions of a class for what is received at the given time and in the period after it. A
-- period is a day for classes of up to seven days, else a week from Monday, UTC.
CREATE FUNCTION det_ensure_log_partitions(class integer, around timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  parent text := CASE WHEN class < 0 THEN 'task_logs_keep' ELSE 'task_logs_' || class END;
  unit text := CASE WHEN class BETWEEN 0 AND 7 THEN 'day' ELSE 'week' END;
  step interval := ('1 ' || unit)::interval;
  since timestamp;
  part text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('det_ensure_log_partitions'));
  IF to_regclass(parent) IS NULL THEN
    EXECUTE format('CREATE TABLE %I (LIKE task_logs INCLUDING DEFAULTS) PARTITION BY RANGE (received_at)',
                   parent);
    EXECUTE format('ALTER TABLE task_logs ATTACH PARTITION %I FOR VALUES IN (%s)', parent, class);
  END IF;
  FOR i IN 0..1 LOOP
    since := date_trunc(unit, around AT TIME ZONE 'UTC') + i * step;
    part := parent || '_' || to_char(since, 'YYYYMMDD');
    PERFORM det_add_partition(parent, part, since AT TIME ZONE 'UTC', (since + step) AT TIME ZONE 'UTC');
    IF class >= 0 THEN
      INSERT INTO log_partitions VALUES (part, class, (since + step) AT TIME ZONE 'UTC')
      ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
END $$;

-- Makes the weekly partitions of metrics from last week to four weeks ahead of the given time, and
-- those of each class of logs that there is. Cheap when they are there.
CREATE OR REPLACE FUNCTION det_ensure_partitions(around timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  week timestamp;
  class integer;
BEGIN
  FOR i IN -1..4 LOOP
    week := date_trunc('week', around AT TIME ZONE 'UTC') + i * interval '7 days';
    PERFORM det_add_partition('metrics', 'metrics_' || to_char(week, 'YYYYMMDD'),
                              week AT TIME ZONE 'UTC', (week + interval '7 days') AT TIME ZONE 'UTC');
  END LOOP;
  FOR class IN SELECT -1 UNION SELECT DISTINCT retention FROM log_partitions LOOP
    PERFORM det_ensure_log_partitions(class, around);
  END LOOP;
END $$;
