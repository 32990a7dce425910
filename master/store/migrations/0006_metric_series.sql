-- A trial's metrics are read by group, name and steps: page by page, and as series. One index does
-- for both. Bytes are compared as they are, whatever the database's language.
DROP INDEX metrics_by_trial;
ALTER TABLE metrics ALTER COLUMN grp TYPE text COLLATE "C";
ALTER TABLE metrics ALTER COLUMN name TYPE text COLLATE "C";
CREATE INDEX metrics_by_trial ON metrics (trial_id, grp, name, steps, allocation_id, stream, seq);

-- From where each run of a trial reported in a group. A run that goes on from an earlier checkpoint
-- shadows what older runs reported from there on.
CREATE TABLE metric_runs (
  trial_id bigint NOT NULL,
  allocation_id bigint NOT NULL,
  grp text COLLATE "C" NOT NULL,
  first_steps bigint NOT NULL,
  PRIMARY KEY (trial_id, allocation_id, grp)
);
INSERT INTO metric_runs
SELECT trial_id, allocation_id, grp, min(steps) FROM metrics GROUP BY trial_id, allocation_id, grp;

-- The rule: a point counts while its steps are below `bound`, the first steps that a newer run
-- reported in its group, or the steps after those that one reported in another group.
CREATE VIEW metric_bounds AS
SELECT s.trial_id, s.allocation_id, s.grp,
       (SELECT min(CASE WHEN r.grp = s.grp OR r.first_steps = 9223372036854775807
                        THEN r.first_steps ELSE r.first_steps + 1 END)
        FROM metric_runs r
        WHERE r.trial_id = s.trial_id AND r.allocation_id > s.allocation_id) AS bound
FROM metric_runs s;

-- Of the points that count. Those that are no finite number are counted apart.
CREATE TABLE metric_summaries (
  trial_id bigint NOT NULL,
  grp text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  count bigint NOT NULL,                 -- finite numbers
  nans bigint NOT NULL,
  infinities bigint NOT NULL,
  others bigint NOT NULL,                -- no numbers
  min double precision,                  -- null: no finite number yet
  max double precision,
  mean double precision,
  last double precision,                 -- null: no number yet
  last_steps bigint NOT NULL,
  last_run bigint NOT NULL,              -- its allocation
  last_at timestamptz NOT NULL,
  max_steps bigint NOT NULL,
  PRIMARY KEY (trial_id, grp, name)
);

-- A mean of large numbers must not overflow on its way, and one next to zero is zero.
CREATE FUNCTION det_mean(small_sum double precision, small_count bigint, large_sum double precision,
                         large_count bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN small_count + large_count = 0 THEN NULL ELSE
    CASE WHEN small_count = 0 OR abs(small_sum) < 1e-280 THEN 0
         ELSE small_sum / (small_count + large_count) END +
    CASE WHEN large_count = 0 OR large_sum = 0 THEN 0
         ELSE greatest(least(large_sum / (small_count + large_count), 1.7976931348623155e278),
                       -1.7976931348623155e278) * 1e30 END
  END
$$;

-- Summaries of whole trials from their points.
CREATE FUNCTION det_summarize(trials bigint[]) RETURNS void LANGUAGE sql AS $$
  DELETE FROM metric_summaries s WHERE s.trial_id = ANY (trials)
    AND EXISTS (SELECT 1 FROM metric_runs r WHERE r.trial_id = s.trial_id AND r.grp = s.grp);
  WITH b AS MATERIALIZED (SELECT * FROM metric_bounds WHERE trial_id = ANY (trials))
  INSERT INTO metric_summaries
  SELECT p.trial_id, p.grp, p.name, count(*) FILTER (WHERE p.finite),
         count(*) FILTER (WHERE p.value = 'NaN'),
         count(*) FILTER (WHERE p.value IN ('Infinity', '-Infinity')),
         count(*) FILTER (WHERE p.value IS NULL),
         min(p.value) FILTER (WHERE p.finite), max(p.value) FILTER (WHERE p.finite),
         det_mean(sum(p.value) FILTER (WHERE p.finite AND abs(p.value) <= 1e270),
                  count(*) FILTER (WHERE p.finite AND abs(p.value) <= 1e270),
                  sum(CASE WHEN p.finite AND abs(p.value) > 1e270 THEN p.value / 1e30 END),
                  count(*) FILTER (WHERE p.finite AND abs(p.value) > 1e270)),
         (array_agg(p.value ORDER BY p.allocation_id DESC, p.steps DESC, p.seq DESC)
            FILTER (WHERE p.value IS NOT NULL))[1],
         max(p.steps) FILTER (WHERE p.allocation_id = p.newest), max(p.allocation_id), max(p.at),
         max(p.steps)
  FROM (SELECT m.*, m.value NOT IN ('NaN', 'Infinity', '-Infinity') AS finite,
               max(m.allocation_id) OVER (PARTITION BY m.trial_id, m.grp, m.name) AS newest
        FROM metrics m JOIN b
          ON b.trial_id = m.trial_id AND b.allocation_id = m.allocation_id AND b.grp = m.grp
        WHERE m.trial_id = ANY (trials) AND (b.bound IS NULL OR m.steps < b.bound)) p
  GROUP BY p.trial_id, p.grp, p.name;
$$;
SELECT det_summarize(ARRAY(SELECT DISTINCT trial_id FROM metric_runs));

-- The mean of two sets of numbers from theirs. By halves, as no number is larger than the largest.
CREATE FUNCTION det_blend(a double precision, n bigint, b double precision, m bigint)
RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN m = 0 THEN a WHEN n = 0 THEN b WHEN abs(mean) < 1e-290 THEN 0 ELSE mean END
  FROM (SELECT 2 * greatest(least(
    CASE WHEN n = 0 OR m = 0 THEN 0
         ELSE a * (n * 0.5::double precision / (n + m)) + b * (m * 0.5::double precision / (n + m)) END,
    8.98846567431157854e307), -8.98846567431157854e307) AS mean) AS blended
$$;
