-- Experiments are sorted and filtered by their best trial's hyperparameters: they stand beside it, so
-- that a list of all of them reads one table. A trial's hyperparameters never change, and its row is
-- durable before it can report a metric, so before it can be the best.
ALTER TABLE experiments ADD COLUMN best_hparams jsonb;
UPDATE experiments SET best_hparams = (SELECT t.hparams FROM trials t WHERE t.id = best_trial)
  WHERE best_trial IS NOT NULL;
CREATE FUNCTION det_copy_best_hparams() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.best_hparams := (SELECT t.hparams FROM trials t WHERE t.id = NEW.best_trial);
  RETURN NEW;
END $$;
CREATE TRIGGER experiments_best_inserted BEFORE INSERT ON experiments FOR EACH ROW
  WHEN (NEW.best_trial IS NOT NULL) EXECUTE FUNCTION det_copy_best_hparams();
CREATE TRIGGER experiments_best_updated BEFORE UPDATE OF best_trial ON experiments FOR EACH ROW
  WHEN (NEW.best_trial IS DISTINCT FROM OLD.best_trial) EXECUTE FUNCTION det_copy_best_hparams();
