#pragma once

#include "master/testing/test_engine.h"

namespace det::test {

// Two agents of two slots and three experiments, one of each kind of search, one of them paused.
void StartSearches(TestEngine& engine);

// One life of every run there is: it starts, validates twice, saves a checkpoint and exits; each
// seventh fails. False when nothing ran.
bool PlayRound(TestEngine& engine);

// Rounds until no experiment is left that could run.
void PlayToEnd(TestEngine& engine);

}  // namespace det::test
