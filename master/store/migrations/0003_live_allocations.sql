-- Who runs now, among all that ever ran: what a follower of an experiment asks every second.
CREATE INDEX allocations_live ON allocations (trial_id) WHERE ended_at IS NULL;
