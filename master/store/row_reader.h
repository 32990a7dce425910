#pragma once

#include <string>

#include <pqxx/pqxx>

#include "master/store/read_store.h"

// How rows are read, for the files of ReadStore alone: what a statement selects, and what that is.
namespace det::store {

std::string ExperimentColumns();  // of experiments
ExperimentRow ToExperiment(const pqxx::row& row);

std::string TrialSelect();  // as far as FROM: trials t, allocations a, trial_live l
TrialRow ToTrial(const pqxx::row& row);

std::string CheckpointSelect();  // as far as FROM: checkpoints c, experiments e, metrics m
CheckpointRow ToCheckpoint(const pqxx::row& row);

}  // namespace det::store
